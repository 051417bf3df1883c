#include <algorithm>
#include <limits>
#include <vector>

#include "op_call.h"
#include "ops.h"

namespace persimmon {

namespace {

// cpu::gatherLogProbability for ids that may be outside of the row.
void logProbabilities(ThreadPool& pool, float* out, const float* logits, const int32_t* ids, int64_t rows,
                      int64_t width) {
  std::vector<int32_t> inside(ids, ids + rows);
  for (int32_t& id : inside) {
    if (id < 0 || id >= width) id = 0;
  }
  cpu::gatherLogProbability(pool, out, logits, inside.data(), rows, width);
  for (int64_t row = 0; row < rows; ++row) {
    if (ids[row] < 0 || ids[row] >= width) out[row] = std::numeric_limits<float>::quiet_NaN();
  }
}

// argmax(stream, out, x, rows, width)
void argmax(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(3), width = call.integer(4);
  int32_t* out = call.integers(1, rows);
  const float* x = call.floats(2, OpCall::product({rows, width}));
  call.require(width > 0, 4, "a row needs a column");
  if (call.failed()) return;
  call.run(cpu::argmax, cuda::argmax, out, x, rows, width);
}

// What all draws take: stream, out, logits, rows, width, temperature, topK, topP.
struct Draw {
  explicit Draw(OpCall& call)
      : rows(call.integer(3)),
        width(call.integer(4)),
        out(call.integers(1, rows)),
        logits(call.floats(2, OpCall::product({rows, width}))),
        temperature(call.number(5)),
        topK(static_cast<int32_t>(std::min<int64_t>(call.integer(6), width))),
        topP(call.number(7)) {
    call.require(width > 0, 4, "a row needs a column");
  }
  int64_t rows, width;
  int32_t* out;
  const float* logits;
  float temperature;
  int32_t topK;
  float topP;
};

// sample(…, uniform: Float64Array of `rows` draws in [0, 1))
void sample(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const Draw draw(call);
  const double* draws = call.doubles(8, draw.rows);
  if (call.failed()) return;
  const std::vector<double> uniform(draws, draws + draw.rows);
  call.run(
      [=](ThreadPool& pool) {
        cpu::sample(pool, draw.out, draw.logits, draw.rows, draw.width, draw.temperature, draw.topK,
                    draw.topP, uniform.data());
      },
      [=](cuda::Queue& gpu) {
        const auto* there =
            reinterpret_cast<const double*>(gpu.arguments(uniform.data(), uniform.size() * sizeof(double)));
        cuda::sample(gpu, draw.out, draw.logits, draw.rows, draw.width, draw.temperature, draw.topK,
                     draw.topP, there);
      });
}

// sampleSeeded(…, random [rows, 4])
void sampleSeeded(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const Draw draw(call);
  const int32_t* random = call.integers(8, OpCall::product({draw.rows, 4}));
  if (call.failed()) return;
  call.run(cpu::sampleSeeded, cuda::sampleSeeded, draw.out, draw.logits, draw.rows, draw.width,
           draw.temperature, draw.topK, draw.topP, random);
}

// advance(stream, ids, positions, random [rows, 4] | null, results [2, rows], chosen, logprobs | null, rows)
void advance(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(7);
  const cpu::Advance all{call.integers(1, rows),
                         call.integers(2, rows),
                         call.optionalIntegers(3, OpCall::product({rows, 4})),
                         call.integers(4, OpCall::product({rows, 2})),
                         call.integers(5, rows),
                         call.optionalFloats(6, rows),
                         rows};
  if (call.failed()) return;
  call.run(cpu::advance, cuda::advance, all);
}

// gatherLogProbability(stream, out, logits, ids, rows, width): NaN for an id outside the row
void gatherLogProbability(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(4), width = call.integer(5);
  float* out = call.floats(1, rows);
  const float* logits = call.floats(2, OpCall::product({rows, width}));
  const int32_t* ids = call.integers(3, rows);
  call.require(width > 0, 5, "a row needs a column");
  if (call.failed()) return;
  call.run(logProbabilities, cuda::gatherLogProbability, out, logits, ids, rows, width);
}

}  // namespace

void exportSamplingOps(Napi::Object exports) {
  exportOp<argmax>(exports, "argmax");
  exportOp<sample>(exports, "sample");
  exportOp<sampleSeeded>(exports, "sampleSeeded");
  exportOp<advance>(exports, "advance");
  exportOp<gatherLogProbability>(exports, "gatherLogProbability");
}

}  // namespace persimmon
