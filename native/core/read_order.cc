#include "core/read_order.h"

#include <algorithm>
#include <cmath>

namespace persimmon {

namespace {

constexpr int64_t kFirstTrials = 8;
// A prime, so that the products of a layer, of which there are four or so, begin trials in turn.
constexpr int64_t kPeriod = 61;
// A trial whose shape does not come again, because its model is gone, ends after so many products.
constexpr int64_t kPatience = 1024;
// A neighbour can make one product twice as slow: a trial counts an eighth, and no more than 1.6 times.
constexpr double kShare = 0.125, kMostLoss = 0.5;
// Two orders that differ by less than this need no change.
constexpr double kLeastGain = 0.03;

}  // namespace

bool ReadOrderChoice::belongsToTrial(const Shape& shape) {
  if (isFixed_) return false;
  ++waited_;
  if (isUnderWay_) {
    if (shape == shape_) return true;
    if (waited_ < kPatience) return false;
  } else if (trials_ >= kFirstTrials && waited_ < kPeriod) {
    return false;
  }
  isUnderWay_ = true;
  isSecond_ = false;
  shape_ = shape;
  waited_ = 0;
  return true;
}

void ReadOrderChoice::finishHalf(double seconds) {
  if (!isSecond_) {
    otherSeconds_ = seconds;
    isSecond_ = true;
    return;
  }
  isUnderWay_ = false;
  ++trials_;
  if (seconds > 0 && otherSeconds_ > 0) note(otherSeconds_ / seconds);
}

void ReadOrderChoice::note(double ratio) {
  loss_ += kShare * (std::clamp(std::log(ratio), -kMostLoss, kMostLoss) - loss_);
  if (loss_ > -kLeastGain) return;
  order_ = other();
  loss_ = -loss_;
}

}  // namespace persimmon
