#include "core/read_order.h"

#include "check.h"

using namespace check;
using persimmon::ReadOrder;
using persimmon::ReadOrderChoice;

namespace {

using Shape = ReadOrderChoice::Shape;

/** The order that a product of this shape got. */
ReadOrder runOnce(ReadOrderChoice& choice, const Shape& shape) {
  ReadOrder seen{};
  choice.run(shape, [&](ReadOrder order) { seen = order; });
  return seen;
}

/** How many of so many products of one shape got another order than the one that was the choice before them.
 */
int otherOrders(ReadOrderChoice& choice, int products) {
  int others = 0;
  for (int i = 0; i < products; ++i) {
    const ReadOrder before = choice.order();
    others += runOnce(choice, {1, 4096, 4096}) != before;
  }
  return others;
}

}  // namespace

TEST(readOrderTriesTheOtherOrderOftenAtFirstAndSeldomLater) {
  ReadOrderChoice choice;
  CHECK(otherOrders(choice, 16) == 8);  // eight trials of two products
  CHECK(otherOrders(choice, 6100) == 100);
}

TEST(readOrderComparesProductsOfOneShapeOnly) {
  ReadOrderChoice choice;
  const ReadOrder order = choice.order();
  CHECK(runOnce(choice, {1, 4096, 4096}) != order);
  // The trial waits for its shape: others, and another number of rows, are no halves of it.
  for (int i = 0; i < 10; ++i) {
    CHECK(runOnce(choice, {1, 4096, 16384}) == order);
    CHECK(runOnce(choice, {2, 4096, 4096}) == order);
  }
  CHECK(runOnce(choice, {1, 4096, 4096}) == order);
  // The next one can begin.
  const ReadOrder then = choice.order();
  CHECK(runOnce(choice, {1, 4096, 16384}) != then);
}

TEST(readOrderGivesUpATrialWhoseShapeDoesNotComeAgain) {
  ReadOrderChoice choice;
  runOnce(choice, {1, 4096, 4096});
  int others = 0;
  for (int i = 0; i < 1100; ++i) {
    const ReadOrder before = choice.order();
    others += runOnce(choice, {1, 1024, 4096}) != before;
  }
  CHECK(others > 0);
}

TEST(readOrderChangesToTheFasterOne) {
  ReadOrderChoice choice;
  CHECK(choice.order() == ReadOrder::kSequential);
  for (int i = 0; i < 20; ++i) choice.note(1.2);
  CHECK(choice.order() == ReadOrder::kSequential);
  // One product in which a neighbour took the processor is not enough.
  choice.note(0.1);
  CHECK(choice.order() == ReadOrder::kSequential);
  for (int i = 0; i < 20 && choice.order() == ReadOrder::kSequential; ++i) choice.note(0.8);
  CHECK(choice.order() == ReadOrder::kSideBySide);
  // Now the sequential order is the other one, and slower.
  for (int i = 0; i < 20; ++i) choice.note(1.25);
  CHECK(choice.order() == ReadOrder::kSideBySide);
  for (int i = 0; i < 40 && choice.order() == ReadOrder::kSideBySide; ++i) choice.note(0.8);
  CHECK(choice.order() == ReadOrder::kSequential);
}

TEST(readOrderKeepsOneThatIsFixed) {
  ReadOrderChoice choice;
  choice.fix(ReadOrder::kSideBySide);
  for (int i = 0; i < 200; ++i) CHECK(runOnce(choice, {1, 64, 64}) == ReadOrder::kSideBySide);
}
