// Bytes and flops per second of the operations that matter, each beside the read bandwidth measured around
// it.
//   native_bench [threads = 2] [part of a name] [medium] [sequential | side-by-side]
// With "medium" products round activations to bfloat16 where that is faster. Products with a row or two try
// both orders of reading (ReadOrder) unless one is named. The best of several runs: the machine may be
// shared. Compare runs of one invocation only.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

#include "check.h"
#include "core/aligned_buffer.h"

namespace {

using check::Random;
using persimmon::AlignedBuffer;
using persimmon::ThreadPool;
namespace cpu = persimmon::cpu;

const char* filter = "";

// With one thread its CPU time, which a busy machine does not touch; with more, the time on the wall.
bool oneThread = false;

double now() {
  timespec t;
  clock_gettime(oneThread ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

template <class F>
double seconds(F&& f) {
  const double begin = now();
  f();
  return now() - begin;
}

struct Floats {
  explicit Floats(size_t count) : buffer(count * sizeof(float)), count(count) {
    Random random(count);
    for (size_t i = 0; i < count; ++i) data()[i] = static_cast<float>(random.uniform() - 0.5);
  }
  float* data() const { return static_cast<float*>(buffer.data()); }
  AlignedBuffer buffer;
  size_t count;
};

/** Random bfloat16 of any size; every matrix of the run is cut from it, at another place each time. */
AlignedBuffer& weights() {
  static AlignedBuffer buffer = [] {
    AlignedBuffer filled(size_t{600} << 20);
    auto* halves = static_cast<uint16_t*>(filled.data());
    Random random(1);
    for (size_t i = 0; i < filled.size() / 2; ++i) {
      const uint64_t bits = random.bits();
      halves[i] = static_cast<uint16_t>(((bits & 1) << 15) | (0x3C00 + (bits >> 1 & 0x1FF)));
    }
    return filled;
  }();
  return buffer;
}

bool wanted(const std::string& name) { return name.find(filter) != std::string::npos; }

/** Scales of int8 (float32) and int4 weights (bfloat16), of the usual size: numbers too small for a normal
 * one, or too large, take longer. */
const void* anyScales() {
  static const AlignedBuffer scales = [] {
    AlignedBuffer filled(size_t{64} << 20);
    auto* halves = static_cast<uint16_t*>(filled.data());
    Random random(3);
    for (size_t i = 0; i < filled.size() / 2; ++i)
      halves[i] = static_cast<uint16_t>(0x3C00 + (random.bits() & 0x7F));
    return filled;
  }();
  return scales.data();
}

struct Format {
  const char* name;
  double bytesPerWeight;
};

Format formatOf(cpu::DType dtype) {
  switch (dtype) {
    case cpu::DType::kBFloat16:
      return {"bfloat16", 2};
    case cpu::DType::kInt8:
      return {"int8", 1};
    case cpu::DType::kInt4:
      return {"int4", 0.5 + 2.0 / 32};
    default:
      return {"float32", 4};
  }
}

/** With `live` below 1 that share of the inputs is not zero, and by input only their weights are read. */
void benchMatrix(ThreadPool& pool, cpu::DType dtype, int64_t rows, int64_t in, int64_t out, int runs,
                 decltype(cpu::linear) kernel = cpu::linear, double live = 1) {
  const Format format = formatOf(dtype);
  std::string name = std::string(kernel == cpu::linear ? "linear " : "linearByInput ") + format.name + " " +
                     std::to_string(rows) + " x " + std::to_string(in) + " x " + std::to_string(out);
  if (live < 1) name += ", " + std::to_string(static_cast<int>(100 * live)) + " % live";
  if (!wanted(name)) return;
  const auto bytes = static_cast<size_t>(static_cast<double>(in * out) * format.bytesPerWeight);
  const Floats x(static_cast<size_t>(rows * in)), y(static_cast<size_t>(rows * out));
  if (live < 1) {
    Random random(2);
    for (size_t i = 0; i < x.count; ++i) x.data()[i] *= random.uniform() < live;
  }
  auto* base = static_cast<unsigned char*>(weights().data());
  double best = 1e9, bandwidth = 0;
  const size_t places = weights().size() / bytes;
  pool.weightTraffic().read = 0;
  // Weights of the first half, read behind a probe of the second one, are in no cache.
  const size_t half = std::max<size_t>(places / 2, 1);
  for (int run = 0; run < runs; ++run) {
    const size_t place = static_cast<size_t>(run) % half;
    const auto* data = base + place * bytes;
    const size_t probed = std::max(bytes, size_t{64} << 20),
                 probes = std::max<size_t>(half * bytes / probed, 1);
    const size_t behind = (static_cast<size_t>(run) % probes + 1) * probed;
    bandwidth = std::max(bandwidth, cpu::readBandwidth(pool, base + weights().size() - behind, probed));
    best = std::min(best, seconds([&] {
                      kernel(pool, y.data(), x.data(), {data, dtype, anyScales()}, {nullptr, dtype}, rows, in,
                             out);
                    }));
  }
  const double read =
      rows > 1 ? static_cast<double>(bytes) : static_cast<double>(pool.weightTraffic().read) / runs;
  const double gigabytes = read * 1e-9 / best;
  std::printf("%-48s %9.3f ms  %7.1f GB/s (%3.0f %% of %.1f)  %7.1f GFLOP/s\n", name.c_str(), best * 1e3,
              gigabytes, 100 * gigabytes / bandwidth, bandwidth,
              2e-9 * static_cast<double>(rows * in * out) / best);
}

/** A tenth of the outputs open, at random. */
void benchWhere(ThreadPool& pool, int64_t rows, int64_t in, int64_t out) {
  const std::string name = "linearWhere bfloat16 " + std::to_string(rows) + " x " + std::to_string(in) +
                           " x " + std::to_string(out) + ", 10 % open";
  if (!wanted(name)) return;
  const Floats x(static_cast<size_t>(rows * in)), y(static_cast<size_t>(rows * out));
  std::vector<float> gate(y.count);
  Random random(5);
  int64_t open = 0;
  for (float& value : gate) open += (value = random.below(10) == 0 ? 1.0f : -1.0f) > 0;
  const size_t bytes = static_cast<size_t>(in * out) * 2;
  auto* base = static_cast<unsigned char*>(weights().data());
  const size_t places = weights().size() / bytes;
  double best = 1e9, bandwidth = 0;
  for (size_t run = 0; run < 15; ++run) {
    bandwidth = std::max(bandwidth, cpu::readBandwidth(pool, base + (run + 1) % places * bytes, bytes));
    best = std::min(best, seconds([&] {
                      cpu::linearWhere(pool, y.data(), x.data(),
                                       {base + run % places * bytes, cpu::DType::kBFloat16},
                                       {nullptr, cpu::DType::kFloat32}, gate.data(), rows, in, out);
                    }));
  }
  const double gigabytes = static_cast<double>(open * in * 2) * 1e-9 / best;
  std::printf("%-44s %9.3f ms  %7.1f GB/s (%3.0f %% of %.1f)\n", name.c_str(), best * 1e3, gigabytes,
              100 * gigabytes / bandwidth, bandwidth);
}

void benchAttention(ThreadPool& pool, int64_t tokens, int32_t past,
                    cpu::DType cacheType = cpu::DType::kFloat32) {
  const bool halves = cacheType == cpu::DType::kBFloat16, bytesOnly = cacheType == cpu::DType::kInt8;
  const std::string name = "attention " + std::to_string(tokens) + " tokens after " + std::to_string(past) +
                           ", " + formatOf(cacheType).name;
  if (!wanted(name)) return;
  const int32_t heads = 64, dim = 64, pageTokens = 32;
  const int32_t pages = static_cast<int32_t>((past + tokens + pageTokens - 1) / pageTokens);
  const size_t perPage = static_cast<size_t>(heads) * pageTokens * dim;
  const double ofDimension = halves ? 4.0 : bytesOnly ? 2.0 + 8.0 / dim : 8.0;
  const double bytes = ofDimension * heads * dim * static_cast<double>(past + tokens);
  // Layers one after another, as in a model, so that each one's keys and values come from memory.
  const auto layers = std::max(1, static_cast<int32_t>(std::ceil(double{128 << 20} / bytes)));
  const Floats keys(perPage * static_cast<size_t>(pages * layers)),
      values(perPage * static_cast<size_t>(pages * layers));
  const Floats qkv(static_cast<size_t>(tokens) * heads * 3 * dim),
      z(static_cast<size_t>(tokens) * heads * dim);
  const Floats keyScales(perPage / dim * static_cast<size_t>(pages * layers)), valueScales(keyScales.count);
  const Floats cos(static_cast<size_t>(past + tokens) * 16), sin(cos.count), norm(dim);
  std::vector<int32_t> positions, sequences(static_cast<size_t>(tokens), 0), table;
  for (int64_t i = 0; i < tokens; ++i) positions.push_back(past + static_cast<int32_t>(i));
  for (int32_t i = 0; i < pages * layers; ++i) table.push_back(pages * layers - 1 - i);
  double best = 1e9, bandwidth = 0;
  for (int run = 0; run < (tokens > 100 ? 3 : 15); ++run) {
    bandwidth = std::max(bandwidth, cpu::readBandwidth(pool, weights().data(), size_t{128} << 20));
    const double all = seconds([&] {
      for (int32_t layer = 0; layer < layers; ++layer) {
        const cpu::Weight weight = {norm.data(), cpu::DType::kFloat32};
        cpu::fusedAttention(pool, z.data(), qkv.data(), {tokens, heads, dim, 32}, weight, weight, weight,
                            weight, 1e-5f, cos.data(), sin.data(), positions.data(), sequences.data(),
                            {keys.data(), values.data(), table.data() + layer * pages, pages, pageTokens,
                             cacheType, keyScales.data(), valueScales.data()},
                            {});
      }
    });
    best = std::min(best, all / layers);
  }
  const double pairs = static_cast<double>(tokens) * (past + 0.5 * static_cast<double>(tokens + 1)) * heads;
  std::printf("%-44s %9.3f ms  %7.1f GB/s (%3.0f %% of %.1f)  %7.1f GFLOP/s\n", name.c_str(), best * 1e3,
              bytes * 1e-9 / best, 100 * bytes * 1e-9 / best / bandwidth, bandwidth,
              4e-9 * dim * pairs / best);
}

template <class F>
void benchTime(const std::string& name, int runs, F&& f) {
  if (!wanted(name)) return;
  double best = 1e9;
  for (int run = 0; run < runs; ++run) best = std::min(best, seconds(f));
  std::printf("%-44s %9.4f ms\n", name.c_str(), best * 1e3);
}

void benchRows(ThreadPool& pool) {
  const int64_t vocabulary = 262144;
  const Floats logits(static_cast<size_t>(vocabulary)), out(logits.count), hidden(16384), sum(16384);
  int32_t id = 0;
  const double uniform = 0.7;
  benchTime("parallel(nothing)", 2000, [&] { pool.parallel([](int, int) {}); });
  benchTime("softmax 262144", 50, [&] { cpu::softmax(pool, out.data(), logits.data(), 1, vocabulary); });
  benchTime("logSoftmax 262144", 50,
            [&] { cpu::logSoftmax(pool, out.data(), logits.data(), 1, vocabulary); });
  benchTime("argmax 262144", 50, [&] { cpu::argmax(pool, &id, logits.data(), 1, vocabulary); });
  using Filter = std::pair<int32_t, float>;
  for (const Filter& filter : {Filter{0, 0.0f}, Filter{50, 0.0f}, Filter{0, 0.9f}, Filter{50, 0.9f}}) {
    char name[64];
    std::snprintf(name, sizeof name, "sample 262144, topK %d, topP %.1f", filter.first, filter.second);
    benchTime(name, 20, [&] {
      cpu::sample(pool, &id, logits.data(), 1, vocabulary, 0.05f, filter.first, filter.second, &uniform);
    });
  }
  benchTime("layerNorm 1 x 4096", 500, [&] {
    cpu::layerNorm(pool, sum.data(), hidden.data(), {hidden.data(), cpu::DType::kFloat32},
                   {hidden.data(), cpu::DType::kFloat32}, 1, 4096, 1e-5f);
  });
  benchTime("add 4096", 500, [&] { cpu::add(pool, sum.data(), hidden.data(), hidden.data(), 4096); });
  benchTime("reluSquared 16384", 500, [&] { cpu::reluSquared(pool, sum.data(), hidden.data(), 16384); });
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 2;
  if (argc > 2) filter = argv[2];
  oneThread = threads == 1;
  ThreadPool pool(threads);
  for (int i = 3; i < argc; ++i) {
    if (std::strcmp(argv[i], "medium") == 0) {
      pool.setMatmulPrecision(persimmon::MatmulPrecision::kMedium);
      continue;
    }
    const bool sequential = std::strcmp(argv[i], "sequential") == 0;
    if (!sequential && std::strcmp(argv[i], "side-by-side") != 0) {
      std::fprintf(stderr, "expected medium, sequential or side-by-side, got %s\n", argv[i]);
      return 2;
    }
    const auto order = sequential ? persimmon::ReadOrder::kSequential : persimmon::ReadOrder::kSideBySide;
    for (int bits : {4, 8, 16, 32}) pool.readOrder(bits).fix(order);
  }
  std::printf("%s, %d threads\n", cpu::instructionSet(), threads);
  constexpr auto kBFloat16 = cpu::DType::kBFloat16, kFloat32 = cpu::DType::kFloat32;
  constexpr auto kInt8 = cpu::DType::kInt8, kInt4 = cpu::DType::kInt4;
  for (auto dtype : {kBFloat16, kInt8, kInt4}) {
    for (auto [in, out] : {std::pair<int64_t, int64_t>{4096, 4096},
                           {4096, 12288},
                           {4096, 16384},
                           {16384, 4096},
                           {4096, 32768}}) {
      benchMatrix(pool, dtype, 1, in, out, 15);
    }
    for (double live : {1.0, 0.5, 0.1}) {
      benchMatrix(pool, dtype, 1, 16384, 4096, 30, cpu::linearByInput, live);
    }
    for (int64_t rows : {4, 16, 32, 512}) {
      if (dtype != kBFloat16) benchMatrix(pool, dtype, rows, 16384, 4096, 5, cpu::linearByInput);
    }
    for (int64_t rows : {16, 512}) {
      if (dtype != kBFloat16) benchMatrix(pool, dtype, rows, 4096, 16384, 5);
    }
  }
  for (auto dtype : {kBFloat16, kInt8, kInt4}) {
    for (auto [in, out] :
         {std::pair<int64_t, int64_t>{1024, 1024}, {1024, 4096}, {4096, 1024}, {1024, 32768}}) {
      benchMatrix(pool, dtype, 1, in, out, 60);
    }
  }
  benchMatrix(pool, kFloat32, 1, 4096, 16384, 15);
  for (int64_t rows : {2, 3, 4, 5, 6, 8, 9, 12, 16, 24, 32, 48, 64})
    benchMatrix(pool, kBFloat16, rows, 4096, 16384, 7);
  for (int64_t rows : {5, 8, 16, 64}) benchMatrix(pool, kBFloat16, rows, 1024, 4096, 30);
  for (int64_t rows : {5, 8, 16, 32, 48}) benchMatrix(pool, kBFloat16, rows, 16384, 4096, 7);
  for (int64_t rows : {128, 512}) benchMatrix(pool, kBFloat16, rows, 4096, 16384, 3);
  benchMatrix(pool, kBFloat16, 512, 16384, 4096, 3);
  benchMatrix(pool, kFloat32, 512, 4096, 16384, 3);
  for (int64_t rows : {1, 2, 3, 4, 6, 8, 9, 12, 16, 32, 128, 512}) {
    benchMatrix(pool, kBFloat16, rows, 16384, 4096, rows > 100 ? 3 : 7, cpu::linearByInput);
  }
  for (int64_t rows : {1, 4}) benchWhere(pool, rows, 4096, 16384);
  for (int32_t past : {127, 2047, 16383}) {
    benchAttention(pool, 1, past);
    benchAttention(pool, 1, past, cpu::DType::kBFloat16);
    benchAttention(pool, 1, past, cpu::DType::kInt8);
  }
  benchAttention(pool, 16, 1024);
  benchAttention(pool, 512, 0);
  benchAttention(pool, 512, 0, cpu::DType::kBFloat16);
  benchAttention(pool, 512, 0, cpu::DType::kInt8);
  benchAttention(pool, 2048, 0);
  benchRows(pool);
  return 0;
}
