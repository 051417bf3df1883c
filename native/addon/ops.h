// The ops as functions of the addon. Each takes the stream first and returns at once.
#pragma once

#include <napi.h>

namespace persimmon {

void exportArithmeticOps(Napi::Object exports);
void exportElementwiseOps(Napi::Object exports);
void exportMatrixOps(Napi::Object exports);
void exportAttentionOps(Napi::Object exports);
void exportSamplingOps(Napi::Object exports);
void exportSelectionOps(Napi::Object exports);
void exportReductionOps(Napi::Object exports);
void exportShapeOps(Napi::Object exports);
void exportConversionOps(Napi::Object exports);
void exportInterventionOps(Napi::Object exports);
void exportTransfer(Napi::Object exports);
void exportCommunicatorOps(Napi::Object exports);

}  // namespace persimmon
