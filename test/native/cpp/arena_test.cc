// Memory that is handed out again: at once, or after it has rested.
#include "core/arena.h"

#include <set>

#include "check.h"

using namespace persimmon;

namespace {

constexpr size_t kNoLimit = size_t{1} << 40;

Arena arenaThatRests(int rest) {
  return Arena(kNoLimit, MappedMemory::anonymous, [](MappedMemory) {}, rest);
}

}  // namespace

TEST(arenaHandsOutWhatWasGivenBackAtOnce) {
  Arena arena = arenaThatRests(0);
  MappedMemory block = arena.take(4096);
  const uint8_t* data = block.data();
  arena.giveBack(std::move(block));
  CHECK(arena.take(4096).data() == data);
}

TEST(arenaLetsABlockRestForSoManyTakes) {
  Arena arena = arenaThatRests(2);
  MappedMemory first = arena.take(4096), second = arena.take(4096);
  const uint8_t *firstData = first.data(), *secondData = second.data();
  arena.giveBack(std::move(first));
  MappedMemory third = arena.take(4096);
  CHECK(third.data() != firstData);
  arena.giveBack(std::move(second));
  MappedMemory other = arena.take(65536);  // of any size
  MappedMemory fourth = arena.take(4096);
  CHECK(fourth.data() == firstData);
  MappedMemory fifth = arena.take(4096);
  CHECK(fifth.data() == secondData);
}

TEST(arenaCountsAndShowsBlocksThatRest) {
  Arena arena = arenaThatRests(2);
  MappedMemory block = arena.take(4096);
  const uint8_t* data = block.data();
  arena.giveBack(std::move(block));
  CHECK(arena.statistics().bytesCached == 4096 && arena.statistics().bytesInUse == 0);
  std::set<const uint8_t*> shown;
  arena.forEachFree([&](uint8_t* free, size_t bytes) {
    CHECK(bytes == 4096);
    shown.insert(free);
  });
  CHECK(shown == std::set<const uint8_t*>{data});
}

TEST(arenaDiscardsWhatIsBeyondItsLimit) {
  int discarded = 0;
  Arena arena(8192, MappedMemory::anonymous, [&](MappedMemory) { ++discarded; });
  std::vector<MappedMemory> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(arena.take(4096));
  for (MappedMemory& block : blocks) arena.giveBack(std::move(block));
  CHECK(discarded == 2);
  CHECK(arena.statistics().bytesInUse == 0 && arena.statistics().bytesCached == 8192);
}
