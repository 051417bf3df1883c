// Runs every test, or those whose name contains one of the arguments.
#include <algorithm>

#include "check.h"

int main(int argc, char** argv) {
  int run = 0;
  for (const check::Test& test : check::tests()) {
    const auto isNamed = [&](const char* part) { return std::strstr(test.name, part) != nullptr; };
    if (argc > 1 && std::none_of(argv + 1, argv + argc, isNamed)) continue;
    const int before = check::failureCount();
    test.run();
    ++run;
    std::printf("%s %s\n", check::failureCount() == before ? "ok  " : "FAIL", test.name);
    std::fflush(stdout);
  }
  std::printf("%d tests, %d failed checks, best instruction set: %s\n", run, check::failureCount(),
              persimmon::cpu::instructionSet());
  return check::failureCount() == 0 && run > 0 ? 0 : 1;
}
