#include "check.h"

using namespace check;
namespace cpu = persimmon::cpu;

TEST(instructionSetIsChosenByName) {
  const std::string before = cpu::instructionSet();
  CHECK(!cpu::setInstructionSet("sse9"));
  CHECK(!cpu::setInstructionSet(nullptr));
  CHECK(cpu::instructionSet() == before);
  CHECK(cpu::setInstructionSet("portable"));
  CHECK(std::string(cpu::instructionSet()) == "portable");
  CHECK(cpu::setInstructionSet(before.c_str()));
}

TEST(readBandwidthReadsAnyBuffer) {
  forEachPool([&](ThreadPool& pool) {
    std::vector<unsigned char> data(3000001, 1);
    CHECK(cpu::readBandwidth(pool, data.data(), data.size()) > 0);
    CHECK(cpu::readBandwidth(pool, data.data() + 1, 777) > 0);
  });
}
