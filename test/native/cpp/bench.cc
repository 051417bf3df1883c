#include "cpu/ops.h"
int main() { return persimmon::cpu::instructionSet() == nullptr; }
