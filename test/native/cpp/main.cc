// Runs every test, or those whose name contains the first argument.
#include "check.h"

int main(int argc, char** argv) {
  int run = 0;
  for (const check::Test& test : check::tests()) {
    if (argc > 1 && std::strstr(test.name, argv[1]) == nullptr) continue;
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
