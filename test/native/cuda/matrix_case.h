// Matrices of weights on the GPU, of every type and order, for the tests of products.
#pragma once

#include "on_gpu.h"

namespace check {

using persimmon::cpu::WeightOrder;

/**
 * Random weights [out, in] of a type: on the GPU as the kernels take them, and on the host as the float32
 * numbers that they stand for, in the order of rows or, for WeightOrder::kInputs, of inputs. With
 * `misaligned` they begin one element behind a multiple of 16 bytes.
 */
class MatrixOnGpu {
 public:
  MatrixOnGpu(Random& random, DType dtype, WeightOrder order, int64_t out, int64_t in,
              bool misaligned = false);
  Weight weight() const { return {bytes_->data() + shift_, dtype_, scales_ ? scales_->data() : nullptr}; }
  Weight onHost() const { return {values_.data(), DType::kFloat32}; }
  const std::vector<float>& values() const { return values_; }
  /** The stored weights on the host, for ops whose bytes are counted. */
  Weight storedOnHost() const { return {stored_.data(), dtype_, storedScales_.data()}; }

 private:
  void int8(Random& random, WeightOrder order, int64_t out, int64_t in);
  void int4(Random& random, WeightOrder order, int64_t out, int64_t in);

  DType dtype_;
  size_t shift_ = 0;
  std::vector<float> values_;
  std::vector<uint8_t> stored_, storedScales_;
  std::unique_ptr<OnGpu<uint8_t>> bytes_, scales_;
};

/** A bias of float32 or bfloat16. */
using BiasOnGpu = WeightOnGpu;

/** Floats on the GPU that begin `shift` floats behind a multiple of 16 bytes. */
class ShiftedOnGpu {
 public:
  ShiftedOnGpu(const std::vector<float>& values, size_t shift);
  const float* data() const { return memory_.data() + shift_; }

 private:
  size_t shift_;
  OnGpu<float> memory_;
};

/** What the ops have counted since the beginning: bytes of weights read, and left out. */
std::pair<int64_t, int64_t> weightTrafficOfGpu();

using CudaLinear = decltype(persimmon::cuda::linear);
using CpuLinear = decltype(persimmon::cpu::linear);

struct ProductShape {
  int64_t rows, in, out;
  DType dtype = DType::kFloat32;
  bool withBias = true;
  int percentZeros = 0;
  bool misaligned = false;
};

/** A product on the GPU against that of the CPU with float32 weights of the same values: off by float32
 * rounding only, and the same bits a second time. */
void checkProduct(CudaLinear* onGpu, CpuLinear* onCpu, WeightOrder order, const ProductShape& shape);

}  // namespace check
