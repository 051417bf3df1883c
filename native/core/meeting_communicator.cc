#include "meeting_communicator.h"

#include <algorithm>
#include <cstring>

namespace persimmon {

namespace {

// 256 KB of a sum: what one thread takes at a time.
constexpr int64_t kGrain = 1 << 16;

std::string described(const MeetingHeader& header) {
  static const char* const names[] = {"all-reduce",        "all-gather",      "broadcast",
                                      "launch of a graph", "end of the pass", "exit"};
  const bool known = header.kind >= 0 && header.kind <= MeetingHeader::kLeave;
  std::string text = known ? names[header.kind] : "unknown call";
  if (header.bytes > 0) text += " of " + std::to_string(header.bytes) + " bytes";
  return text + " in pass " + std::to_string(header.pass) + " over tokens with checksum " +
         std::to_string(header.checksum);
}

std::string disagreement(const std::vector<MeetingHeader>& headers) {
  size_t other = 1;
  while (other + 1 < headers.size() && described(headers[other]) == described(headers[0])) ++other;
  return "the ranks of a split model do different things: rank 0 is at " + described(headers[0]) + ", rank " +
         std::to_string(other) + " at " + described(headers[other]) +
         ". Every process has to run the same script on the same inputs (and with a `seed` where it samples)";
}

bool isSamePass(const MeetingHeader& a, const MeetingHeader& b) {
  return a.pass == b.pass && a.checksum == b.checksum;
}

std::string errorOf(const MeetingHeader& header) {
  return std::string(header.error, strnlen(header.error, sizeof header.error));
}

}  // namespace

Part partOf(int64_t total, int rank, int ranks) {
  const int64_t each = (total + ranks - 1) / ranks;
  const int64_t first = std::min(total, each * rank);
  return {first, std::min(each, total - first)};
}

void MeetingCommunicator::beginPass(int64_t pass, int64_t checksum) {
  pass_ = pass;
  checksum_ = checksum;
  isVoid_ = hasFailed_ = false;
}

void MeetingCommunicator::endPass(const std::string& error) {
  hasFailed_ = false;  // the others are still to be told
  MeetingHeader mine;
  mine.kind = MeetingHeader::kEndPass;
  error.copy(mine.error, sizeof mine.error - 1);
  exchange(mine, nullptr);
}

void MeetingCommunicator::allReduce(ThreadPool& pool, float* out, const float* x, int64_t count) {
  MeetingHeader mine;
  mine.kind = MeetingHeader::kAllReduce;
  mine.bytes = count * static_cast<int64_t>(sizeof(float));
  if (!exchange(mine, x)) return;
  parallelChunks(pool, count, kGrain, [&](int64_t begin, int64_t end) {
    const auto* first = reinterpret_cast<const float*>(meeting_.parts[0]);
    std::copy(first + begin, first + end, out + begin);
    for (int rank = 1; rank < ranks(); ++rank) {
      const auto* part = reinterpret_cast<const float*>(meeting_.parts[static_cast<size_t>(rank)]);
      for (int64_t i = begin; i < end; ++i) out[i] += part[i];
    }
  });
}

void MeetingCommunicator::allGather(ThreadPool& pool, float* out, const float* x, int64_t rows,
                                    int64_t total) {
  // All bring as much as the widest, so that the headers agree; what a narrower part lacks is not looked at.
  const int64_t widest = partOf(total, 0, ranks()).count;
  const int64_t width = partOf(total, rank(), ranks()).count;
  std::vector<float> filled;
  if (width < widest) {
    try {
      filled.resize(static_cast<size_t>(rows * widest));
    } catch (...) {
      giveUp();
      throw;
    }
    std::copy(x, x + rows * width, filled.data());
  }
  MeetingHeader mine;
  mine.kind = MeetingHeader::kAllGather;
  mine.bytes = rows * widest * static_cast<int64_t>(sizeof(float));
  if (!exchange(mine, width < widest ? filled.data() : x)) return;
  parallelChunks(pool, rows, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, total)),
                 [&](int64_t begin, int64_t end) {
                   for (int rank = 0; rank < ranks(); ++rank) {
                     const Part part = partOf(total, rank, ranks());
                     const auto* values =
                         reinterpret_cast<const float*>(meeting_.parts[static_cast<size_t>(rank)]);
                     for (int64_t row = begin; row < end; ++row) {
                       std::copy_n(values + row * part.count, part.count, out + row * total + part.first);
                     }
                   }
                 });
}

void MeetingCommunicator::broadcast(void* data, int64_t bytes, int root) {
  MeetingHeader mine;
  mine.kind = MeetingHeader::kBroadcast;
  mine.bytes = bytes;
  mine.root = root;
  if (!exchange(mine, data) || rank() == root) return;
  std::memcpy(data, meeting_.parts[static_cast<size_t>(root)], static_cast<size_t>(bytes));
}

bool MeetingCommunicator::brings(const MeetingHeader& header, int rank) {
  return header.bytes > 0 && (header.kind != MeetingHeader::kBroadcast || header.root == rank);
}

bool MeetingCommunicator::agree(const std::vector<MeetingHeader>& headers) {
  const MeetingHeader& first = headers[0];
  return std::all_of(headers.begin(), headers.end(), [&](const MeetingHeader& header) {
    return header.kind == first.kind && isSamePass(header, first) && header.bytes == first.bytes &&
           header.root == first.root;
  });
}

bool MeetingCommunicator::exchange(MeetingHeader mine, const void* payload) {
  if (!over_.empty()) throw MeetingsAreOver(over_);
  if (isVoid_ || hasFailed_) return false;
  mine.pass = pass_;
  mine.checksum = checksum_;
  try {
    meet(mine, payload, meeting_);
  } catch (const MeetingsAreOver& end) {
    over_ = end.what();
    throw;
  } catch (...) {
    giveUp();
    throw;
  }
  // From the headers every rank draws the same conclusion.
  isVoid_ = mine.kind == MeetingHeader::kEndPass || !agree(meeting_.headers);
  for (size_t other = 0; other < meeting_.headers.size(); ++other) {
    if (meeting_.headers[other].kind != MeetingHeader::kLeave) continue;
    over_ = "the process of rank " + std::to_string(other) + " has ended";
    throw MeetingsAreOver(over_);
  }
  if (const std::string error = complaint(mine); !error.empty()) throw std::runtime_error(error);
  return !isVoid_;
}

std::string MeetingCommunicator::complaint(const MeetingHeader& mine) const {
  const std::vector<MeetingHeader>& headers = meeting_.headers;
  std::string leaver;
  for (size_t other = 0; other < headers.size(); ++other) {
    const MeetingHeader& header = headers[other];
    if (header.kind != MeetingHeader::kEndPass || static_cast<int>(other) == rank()) continue;
    const std::string who = "rank " + std::to_string(other);
    if (const std::string error = errorOf(header); !error.empty()) return who + ": " + error;
    if (leaver.empty() && isSamePass(header, mine)) leaver = who;
  }
  const bool isSame = std::all_of(headers.begin(), headers.end(),
                                  [&](const MeetingHeader& header) { return isSamePass(header, mine); });
  if (agree(headers) || (isSame && mine.kind == MeetingHeader::kEndPass)) return "";
  if (!leaver.empty()) {
    return leaver + " has left the pass before its end: it was interrupted, or a hook failed there";
  }
  return disagreement(headers);
}

}  // namespace persimmon
