// Memory that rests before it is handed out again. What does not is in stream_test.cc.
#include "core/arena.h"

#include <set>

#include "check.h"

using namespace persimmon;

namespace {

Arena restingArena() {
  return Arena(size_t{1} << 40, MappedMemory::anonymous, [](MappedMemory) {}, 2);
}

}  // namespace

TEST(arenaLetsABlockRestForSoManyTakes) {
  Arena arena = restingArena();
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
  Arena arena = restingArena();
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
