#include "attention_case.h"

#include <algorithm>
#include <cstring>

namespace check {

namespace cpu = persimmon::cpu;

namespace {

/** A row as int8 in double precision: numbers and their scale; NaN gives a scale of NaN. */
float roundToInt8(const float* x, size_t n, int8_t* out) {
  double largest = 0;
  for (size_t i = 0; i < n; ++i) {
    if (!std::isfinite(x[i])) return NAN;
    largest = std::max(largest, std::fabs(static_cast<double>(x[i])));
  }
  const float scale = static_cast<float>(largest / 127);
  for (size_t i = 0; i < n; ++i) {
    out[i] = static_cast<int8_t>(scale == 0 ? 0 : std::nearbyint(x[i] / scale));
  }
  return scale;
}

/** x as the cache keeps it, in float32. */
std::vector<float> rounded(const std::vector<float>& x, DType dtype, size_t width) {
  std::vector<float> out(x);
  if (dtype == DType::kBFloat16) {
    for (float& value : out) value = bfloat16ToFloat(floatToBFloat16(value));
  } else if (dtype == DType::kInt8) {
    std::vector<int8_t> numbers(width);
    for (size_t row = 0; row < x.size(); row += width) {
      const float scale = roundToInt8(&x[row], width, numbers.data());
      for (size_t i = 0; i < width; ++i) out[row + i] = scale * numbers[i];
    }
  }
  return out;
}

}  // namespace

AttentionCase::AttentionCase(const AttentionOptions& options, uint64_t seed)
    : options_(options),
      random_(seed),
      qWeight_(random_, static_cast<size_t>(options.headDim), options.dtype, 0.5f, 1),
      qBias_(random_, static_cast<size_t>(options.headDim), options.dtype, 0.1f),
      kWeight_(random_, static_cast<size_t>(options.headDim), options.dtype, 0.5f, 1),
      kBias_(random_, static_cast<size_t>(options.headDim), options.dtype, 0.1f) {
  addTokens();
  fillTables();
  fillPast();
  solve();
}

void AttentionCase::addTokens() {
  int32_t longest = 1;
  for (size_t s = 0; s < options_.sequences.size(); ++s) {
    const auto [past, fresh] = options_.sequences[s];
    for (int32_t i = 0; i < fresh; ++i) {
      positions_.push_back(past + i);
      sequences_.push_back(static_cast<int32_t>(s));
    }
    longest = std::max(longest, past + fresh);
  }
  qkv_ = random_.normals(positions_.size() * static_cast<size_t>(options_.heads * 3 * options_.headDim));
  const size_t half = static_cast<size_t>(options_.rotaryDims / 2);
  for (int32_t position = 0; position < longest; ++position) {
    for (size_t j = 0; j < half; ++j) {
      const double angle = position * std::pow(25000.0, -static_cast<double>(j) / static_cast<double>(half));
      cos_.push_back(static_cast<float>(std::cos(angle)));
      sin_.push_back(static_cast<float>(std::sin(angle)));
    }
  }
  pagesPerSequence_ = (longest + options_.pageTokens - 1) / options_.pageTokens;
}

void AttentionCase::fillTables() {
  const size_t count = options_.sequences.size() * static_cast<size_t>(pagesPerSequence_);
  pageTable_.resize(count);
  for (size_t i = 0; i < count; ++i) pageTable_[i] = static_cast<int32_t>(i);
  for (size_t i = count; i > 1; --i)
    std::swap(pageTable_[i - 1], pageTable_[static_cast<size_t>(random_.below(static_cast<int64_t>(i)))]);
  if (options_.sharePast) {
    const int32_t shared = options_.sequences[0].first / options_.pageTokens;
    for (size_t s = 1; s < options_.sequences.size(); ++s) {
      for (int32_t page = 0; page < shared; ++page) {
        pageTable_[s * static_cast<size_t>(pagesPerSequence_) + static_cast<size_t>(page)] =
            pageTable_[static_cast<size_t>(page)];
      }
    }
  }
  const size_t floats = count * static_cast<size_t>(options_.heads * options_.pageTokens * options_.headDim);
  // What no one has written must not be read: NaN would show.
  keys_.assign(floats, NAN);
  values_.assign(floats, NAN);
}

size_t AttentionCase::slot(int32_t sequence, int32_t head, int32_t position) const {
  const int32_t page =
      pageTable_[static_cast<size_t>(sequence * pagesPerSequence_ + position / options_.pageTokens)];
  return static_cast<size_t>(
      ((page * options_.heads + head) * options_.pageTokens + position % options_.pageTokens) *
      options_.headDim);
}

void AttentionCase::fillPast() {
  for (size_t s = 0; s < options_.sequences.size(); ++s) {
    for (int32_t position = 0; position < options_.sequences[s].first; ++position) {
      for (int32_t head = 0; head < options_.heads; ++head) {
        const size_t at = slot(static_cast<int32_t>(s), head, position);
        if (!std::isnan(keys_[at])) continue;  // a shared page
        for (int32_t i = 0; i < options_.headDim; ++i) {
          keys_[at + static_cast<size_t>(i)] = random_.normal();
          values_[at + static_cast<size_t>(i)] = random_.normal();
        }
      }
    }
  }
}

void AttentionCase::solve() {
  const int32_t dim = options_.headDim, heads = options_.heads, half = options_.rotaryDims / 2;
  const size_t width = static_cast<size_t>(dim);
  std::vector<double> keys(keys_.begin(), keys_.end()), values(values_.begin(), values_.end());
  std::vector<double> queries(positions_.size() * static_cast<size_t>(heads) * width);
  const auto prepare = [&](const float* x, const StoredWeight& weight, const StoredWeight& bias,
                           int32_t position, double* out) {
    double mean = 0, variance = 0;
    for (int32_t i = 0; i < dim; ++i) mean += x[i] / static_cast<double>(dim);
    for (int32_t i = 0; i < dim; ++i) variance += (x[i] - mean) * (x[i] - mean) / dim;
    std::vector<double> y(x, x + dim);
    for (size_t i = 0; options_.norm && i < width; ++i) {
      y[i] = (x[i] - mean) / std::sqrt(variance + 1e-5) * weight.values()[i] + bias.values()[i];
    }
    for (int32_t i = 0; i < dim; ++i) out[i] = y[static_cast<size_t>(i)];
    for (int32_t j = 0; j < half; ++j) {
      const double c = cos_[static_cast<size_t>(position * half + j)],
                   s = sin_[static_cast<size_t>(position * half + j)];
      const double a = y[static_cast<size_t>(j)], b = y[static_cast<size_t>(j + half)];
      out[j] = a * c - b * s;
      out[j + half] = b * c + a * s;
    }
  };
  for (size_t t = 0; t < positions_.size(); ++t) {
    for (int32_t head = 0; head < heads; ++head) {
      const float* x = qkv_.data() + (t * static_cast<size_t>(heads) + static_cast<size_t>(head)) * 3 * width;
      const size_t at = slot(sequences_[t], head, positions_[t]);
      prepare(x, qWeight_, qBias_, positions_[t],
              &queries[(t * static_cast<size_t>(heads) + static_cast<size_t>(head)) * width]);
      prepare(x + dim, kWeight_, kBias_, positions_[t], &keys[at]);
      for (size_t i = 0; i < width; ++i) values[at + i] = x[2 * width + i];
    }
  }
  expected_.assign(queries.size(), 0);
  for (size_t row = 0; row < expected_.size() / width; ++row) {
    const size_t t = row / static_cast<size_t>(heads);
    const int32_t head = static_cast<int32_t>(row % static_cast<size_t>(heads));
    std::vector<double> p(static_cast<size_t>(positions_[t] + 1));
    double max = -HUGE_VAL, sum = 0;
    for (size_t j = 0; j < p.size(); ++j) {
      const double* key = &keys[slot(sequences_[t], head, static_cast<int32_t>(j))];
      for (size_t i = 0; i < width; ++i) p[j] += queries[row * width + i] * key[i];
      p[j] /= std::sqrt(static_cast<double>(dim));
      max = std::max(max, p[j]);
    }
    for (double& value : p) sum += value = std::exp(value - max);
    for (size_t j = 0; j < p.size(); ++j) {
      const double* value = &values[slot(sequences_[t], head, static_cast<int32_t>(j))];
      for (size_t i = 0; i < width; ++i) expected_[row * width + i] += p[j] / sum * value[i];
    }
  }
}

cpu::AttentionShape AttentionCase::shape(int64_t tokens) const {
  return {tokens, options_.heads, options_.headDim, options_.rotaryDims};
}

cpu::CacheView AttentionCase::floatView(std::vector<float>* keys, std::vector<float>* values) const {
  return {keys->data(), values->data(), pageTable_.data(), pagesPerSequence_, options_.pageTokens};
}

cpu::CacheView AttentionCase::view(AttentionResult* result) const {
  cpu::CacheView view = floatView(&result->keys, &result->values);
  view.dtype = options_.cacheDtype;
  view.keyScales = result->keyScales.data();
  view.valueScales = result->valueScales.data();
  return view;
}

AttentionResult AttentionCase::emptyResult() const {
  const std::vector<float> blank(expected_.size(), -99.0f);
  AttentionResult result = {blank, blank, blank, blank, blank, blank, keys_, values_, {}, {}};
  if (options_.cacheDtype == DType::kBFloat16) {
    for (std::vector<float>* memory : {&result.keys, &result.values}) {
      std::vector<uint16_t> halves(2 * memory->size());
      for (size_t i = 0; i < memory->size(); ++i) halves[i] = floatToBFloat16((*memory)[i]);
      std::memcpy(memory->data(), halves.data(), halves.size() * sizeof(uint16_t));
    }
  }
  if (options_.cacheDtype == DType::kInt8) {
    const size_t width = static_cast<size_t>(options_.headDim);
    const auto store = [&](std::vector<float>* memory, std::vector<float>* scales) {
      const std::vector<float> rows = *memory;
      auto* numbers = reinterpret_cast<int8_t*>(memory->data());
      for (size_t row = 0; row < rows.size(); row += width) {
        scales->push_back(roundToInt8(&rows[row], width, numbers + row));
      }
    };
    store(&result.keys, &result.keyScales);
    store(&result.values, &result.valueScales);
  }
  return result;
}

std::vector<float> AttentionCase::overRoundedFloats(ThreadPool& pool, const AttentionResult& r) const {
  const size_t width = static_cast<size_t>(options_.headDim), heads = static_cast<size_t>(options_.heads);
  const auto kept = [&](const std::vector<float>& x) { return rounded(x, options_.cacheDtype, width); };
  std::vector<float> keys = kept(keys_), values = kept(values_);
  const std::vector<float> kRot = kept(r.kRot), v = kept(r.v);
  for (size_t row = 0; row < positions_.size() * heads; ++row) {
    const size_t at =
        slot(sequences_[row / heads], static_cast<int32_t>(row % heads), positions_[row / heads]);
    for (size_t i = 0; i < width; ++i) {
      keys[at + i] = kRot[row * width + i];
      values[at + i] = v[row * width + i];
    }
  }
  const cpu::CacheView cache = floatView(&keys, &values);
  const int64_t count = *std::max_element(positions_.begin(), positions_.end()) + 1;
  std::vector<float> pattern(positions_.size() * heads * static_cast<size_t>(count)), z(expected_.size());
  cpu::attentionPattern(pool, pattern.data(), count, r.qRot.data(), shape(tokens()), positions_.data(),
                        sequences_.data(), cache);
  cpu::attentionValues(pool, z.data(), pattern.data(), count, shape(tokens()), positions_.data(),
                       sequences_.data(), cache);
  return z;
}

void AttentionCase::fused(ThreadPool& pool, AttentionResult* r, int64_t from, int64_t to, bool taps) const {
  const int64_t width = static_cast<int64_t>(options_.heads) * options_.headDim, at = from * width;
  cpu::AttentionTaps out = {};
  if (taps)
    out = {r->q.data() + at, r->k.data() + at, r->v.data() + at, r->qRot.data() + at, r->kRot.data() + at};
  const bool norm = options_.norm;
  cpu::fusedAttention(pool, r->z.data() + at, qkv_.data() + 3 * at, shape(to - from),
                      norm ? qWeight_.weight() : kNone, norm ? qBias_.weight() : kNone,
                      norm ? kWeight_.weight() : kNone, norm ? kBias_.weight() : kNone, 1e-5f, cos_.data(),
                      sin_.data(), positions_.data() + from, sequences_.data() + from, view(r), out);
}

void AttentionCase::inSteps(ThreadPool& pool, AttentionResult* r) const {
  const cpu::AttentionShape all = shape(tokens());
  const int64_t rows = tokens() * options_.heads, dim = options_.headDim;
  cpu::splitHeads(pool, r->q.data(), r->k.data(), r->v.data(), qkv_.data(), all);
  if (options_.norm) {
    cpu::layerNorm(pool, r->q.data(), r->q.data(), qWeight_.weight(), qBias_.weight(), rows, dim, 1e-5f);
    cpu::layerNorm(pool, r->k.data(), r->k.data(), kWeight_.weight(), kBias_.weight(), rows, dim, 1e-5f);
  }
  cpu::rotary(pool, r->qRot.data(), r->q.data(), all, cos_.data(), sin_.data(), positions_.data());
  cpu::rotary(pool, r->kRot.data(), r->k.data(), all, cos_.data(), sin_.data(), positions_.data());
  cpu::cacheAppend(pool, r->kRot.data(), r->v.data(), all, positions_.data(), sequences_.data(), view(r));
  const int64_t keys = *std::max_element(positions_.begin(), positions_.end()) + 3;
  std::vector<float> pattern(static_cast<size_t>(rows * keys), -5.0f);
  cpu::attentionPattern(pool, pattern.data(), keys, r->qRot.data(), all, positions_.data(), sequences_.data(),
                        view(r));
  for (int64_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (int64_t key = 0; key < keys; ++key) {
      const float p = pattern[static_cast<size_t>(row * keys + key)];
      CHECK(key <= positions_[static_cast<size_t>(row / options_.heads)] ? p >= 0 && p <= 1 : p == 0);
      sum += p;
    }
    CHECK(std::fabs(sum - 1) < 1e-5);
  }
  cpu::attentionValues(pool, r->z.data(), pattern.data(), keys, all, positions_.data(), sequences_.data(),
                       view(r));
}

std::string AttentionCase::describe() const {
  return std::to_string(tokens()) + " tokens, heads " + std::to_string(options_.heads) + ", dim " +
         std::to_string(options_.headDim) + ", rotary " + std::to_string(options_.rotaryDims) + ", page " +
         std::to_string(options_.pageTokens) + (options_.norm ? "" : ", no norm");
}

}  // namespace check
