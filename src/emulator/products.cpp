// SPDX-License-Identifier: Apache-2.0
// Issue, completion and wait of a warpgroup's products.
#include "emulator/products.h"

#include "emulator/hopper.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

namespace flashlight::emulator {

namespace {

constexpr int kRows = 64, kDepth = 16;
constexpr std::size_t kLongestDelay = 512;  // of a product, in steps of this agent

// Row and column of value i of thread t of the warpgroup. PTX ISA, "wgmma.mma_async", register fragments.
int row_of(int t, int i) { return 16 * (t / 32) + t % 32 / 4 + 8 * (i >> 1 & 1); }
int col_of(int t, int i) { return 8 * (i >> 2) + 2 * (t & 3) + (i & 1); }

std::string line_of(const std::source_location& where) {
  return to_string(Sites::Line{where.file_name(), where.line()});
}

}  // namespace

struct Products::Call {
  const WarpgroupProduct* product;
  int thread;
  std::source_location where;

  CheckedRegisters& registers(bool operand) const { return operand ? *product->left : *product->c; }
};

Products::Products(Block& block)
    : block_(block), groups_(static_cast<std::size_t>(block.threads() / kThreads)) {
  for (Warpgroup& g : groups_) g.actor = block.add_actor("a product", -1);
  block.add_agent(*this);
}

void Products::start(const WarpgroupProduct& product, const std::source_location& where) {
  const int thread = current->thread;
  const std::size_t number = static_cast<std::size_t>(thread / kThreads);
  if (number >= groups_.size()) {
    return block_.report(FindingKind::kDivergence, thread, where,
                         "a product of warps that make up no warpgroup");
  }
  Call call{&product, thread, where};
  block_.meet_warpgroup(
      groups_[number].meeting, "a product of the warpgroup", &call,
      [](void* const* threads) { Block::running().hopper().products().issue(threads); }, where);
}

// Checks what the product needs, and queues it. What memory it reads is checked now, read later.
void Products::issue(void* const* threads) {
  std::vector<const Call*> calls(kThreads);
  for (int t = 0; t < kThreads; ++t) calls[t] = static_cast<const Call*>(threads[t]);
  const Call& first = *calls[0];
  const WarpgroupProduct& p = *first.product;
  Warpgroup& group = groups_[static_cast<std::size_t>(first.thread / kThreads)];
  for (const Call* call : calls) {
    const WarpgroupProduct& other = *call->product;
    if (other.a != p.a || other.b != p.b || other.b_steps != p.b_steps || other.add != p.add ||
        group.open[call->thread % kThreads] != group.open[0]) {
      block_.report(FindingKind::kDivergence, call->thread, call->where,
                    "threads of a warpgroup start a product with different operands or groups");
      return;
    }
  }
  if (group.jobs.empty()) group.delay = static_cast<int>(block_.launch().random.below(kLongestDelay));
  Job job{};
  job.add = p.add;
  job.columns = p.columns;
  job.depth = p.steps * kDepth;
  job.widen = p.widen;
  job.group = group.open[0];
  job.sound = true;
  if (p.left) {
    const auto left = take(group, calls, true, true);
    job.left = left->values;
  } else {
    for (int i = 0; i < p.steps; ++i) job.a.emplace_back(p.a + p.a_steps[i], false);
    job.sound = check_operand(job, true, first, group);
  }
  for (int i = 0; i < p.steps; ++i) job.b.emplace_back(p.b + p.b_steps[i], p.b_transposed);
  job.sound = check_operand(job, false, first, group) && job.sound;
  job.c = take(group, calls, false, p.add);
  group.jobs.push_back(std::move(job));
}

// The registers now belong to the product; `reads`: it starts from their values.
std::shared_ptr<Products::InFlight> Products::take(Warpgroup& group, const std::vector<const Call*>& calls,
                                                   bool operand, bool reads) {
  CheckedRegisters* const first = &calls[0]->registers(operand);
  const auto known = std::find_if(group.in_flight.begin(), group.in_flight.end(),
                                  [&](const auto& f) { return f->of[0] == first; });
  std::shared_ptr<InFlight> taken;
  if (known != group.in_flight.end()) {
    taken = *known;
  } else {
    taken = std::make_shared<InFlight>();
    const int columns = first->count() * 2;
    taken->values.resize(static_cast<std::size_t>(kRows * columns));
    taken->columns = operand ? 0 : columns;
    for (int t = 0; t < kThreads; ++t) {
      const Call& call = *calls[t];
      CheckedRegisters& r = call.registers(operand);
      if (reads && r.has(RegisterState::kUnwritten)) {
        block_.report(FindingKind::kUninitialisedRegister, call.thread, call.where,
                      operand ? "an operand's registers hold nothing"
                              : "the product adds to an accumulator that nothing has written");
      } else if (!r.is_fenced()) {
        block_.report(FindingKind::kMissingFence, call.thread, call.where,
                      std::string(operand ? "an operand" : "an accumulator") +
                          " goes into a product without fence_products after the thread's last access to it");
      }
      taken->of[t] = &r;
      for (int i = 0; i < r.count(); ++i)
        taken->values[static_cast<std::size_t>(row_of(t, i) * columns + col_of(t, i))] = r.values()[i];
      std::fill_n(r.values(), r.count(), std::numeric_limits<float>::quiet_NaN());
      r.mark(RegisterState::kPending);
    }
    group.in_flight.push_back(taken);
  }
  taken->group = group.open[0];
  taken->where = calls[0]->where;
  return taken;
}

// Each row is read on behalf of one warp, in turn: every warp of the warpgroup must have seen the operand.
bool Products::check_operand(Job& job, bool left, const Call& call, Warpgroup& group) {
  const std::vector<OperandLayout>& steps = left ? job.a : job.b;
  const int outer = left ? kRows : job.columns;
  unsigned char* const shared = block_.launch().shared.base;
  const auto readable = [&](int line, std::size_t offset, std::size_t bytes) {
    const int lane = line / 4 % 32, thread = call.thread + 32 * (line % 4) + lane;
    return block_.check_shared_range({thread, group.actor, job.group}, shared + offset, bytes, call.where);
  };
  for (const OperandLayout& step : steps) {
    if (const std::string fault = step.fault(); !fault.empty()) {
      block_.report(FindingKind::kInvalidOperand, call.thread, call.where,
                    std::string("the product's ") + (left ? "left" : "right") + " operand: " + fault);
      return false;
    }
    if (left || !call.product->b_transposed) {
      for (int i = 0; i < outer; ++i) {  // the two chunks of a step lie side by side
        if (!readable(i, std::min(step.chunk(i, 0), step.chunk(i, 8)), 32)) return false;
      }
      continue;
    }
    const int row = static_cast<int>(step.row_elements());
    for (int k = 0; k < kDepth; ++k) {
      for (int i = 0; i < outer; i += row) {
        if (i + row <= outer) {  // a whole row, whose chunks are permuted
          if (!readable(k, step.chunk(i, k) / step.row_bytes() * step.row_bytes(), step.row_bytes()))
            return false;
          continue;
        }
        for (int j = i; j < outer; j += 8) {
          if (!readable(k, step.chunk(j, k), 16)) return false;
        }
      }
    }
  }
  return true;
}

// [64][depth] of the left operand, [depth][columns] of the right.
void Products::read_operand(const Job& job, bool left, float* out) const {
  const unsigned char* const shared = block_.launch().shared.base;
  const int outer = left ? kRows : job.columns;
  // Strides of `out` along the outer axis and along the contraction.
  const int across = left ? job.depth : 1, along = left ? 1 : job.columns;
  const std::vector<OperandLayout>& steps = left ? job.a : job.b;
  const auto put = [&](std::size_t chunk, float* to, int stride) {
    std::uint16_t bits[8];
    std::memcpy(bits, shared + chunk, sizeof bits);
    for (int e = 0; e < 8; ++e) to[e * stride] = job.widen(bits[e]);
  };
  for (int s = 0; s < static_cast<int>(steps.size()); ++s) {
    for (int k = 0; k < kDepth; k += steps[s].transposed() ? 1 : 8) {
      for (int i = 0; i < outer; i += steps[s].transposed() ? 8 : 1)
        put(steps[s].chunk(i, k), out + i * across + (kDepth * s + k) * along,
            steps[s].transposed() ? across : along);
    }
  }
}

void Products::perform(const Job& job) {
  std::vector<float>& c = job.c->values;
  if (!job.sound) {
    std::fill(c.begin(), c.end(), std::numeric_limits<float>::quiet_NaN());
    return;
  }
  if (!job.add) std::fill(c.begin(), c.end(), 0.0f);
  float* const right = scratch(static_cast<std::size_t>(job.depth * (job.columns + kRows)));
  float* const left = right + job.depth * job.columns;
  read_operand(job, false, right);
  if (!job.a.empty()) read_operand(job, true, left);
  product(c.data(), job.a.empty() ? job.left.data() : left, right, kRows, job.columns, job.depth);
}

void Products::commit(int thread) {
  const std::size_t number = static_cast<std::size_t>(thread / kThreads);
  if (number < groups_.size()) ++groups_[number].open[thread % kThreads];
}

void Products::wait(int thread, int pending, CheckedRegisters* const* registers, int count,
                    const std::source_location& where) {
  const std::size_t number = static_cast<std::size_t>(thread / kThreads);
  if (number >= groups_.size()) return;
  Warpgroup& group = groups_[number];
  const Clock committed = group.open[thread % kThreads] - 1;
  const Clock covered = committed > static_cast<Clock>(pending) ? committed - static_cast<Clock>(pending) : 0;
  while (!group.jobs.empty() && group.jobs.front().group <= covered) {
    perform(group.jobs.front());
    group.jobs.pop_front();
  }
  block_.clocks().learn(thread, group.actor, covered);
  for (int i = 0; i < count; ++i) hand_back(group, thread, *registers[i], covered, where);
}

void Products::hand_back(Warpgroup& group, int thread, CheckedRegisters& registers, Clock covered,
                         const std::source_location& where) {
  if (!registers.in_flight()) return;
  const int t = thread % kThreads;
  const auto found = std::find_if(group.in_flight.begin(), group.in_flight.end(),
                                  [&](const auto& f) { return f->of[t] == &registers; });
  if (found == group.in_flight.end()) return;
  InFlight& f = **found;
  if (f.group > covered) {
    return block_.report(FindingKind::kPendingRegister, thread, where,
                         "this wait names registers that the product at " + line_of(f.where) +
                             " still owns: it is not committed, or of a group that is not waited for");
  }
  if (f.columns > 0) {
    for (int i = 0; i < registers.count(); ++i)
      registers.values()[i] = f.values[static_cast<std::size_t>(row_of(t, i) * f.columns + col_of(t, i))];
  } else {
    const int columns = registers.count() * 2;
    for (int i = 0; i < registers.count(); ++i)
      registers.values()[i] = f.values[static_cast<std::size_t>(row_of(t, i) * columns + col_of(t, i))];
  }
  registers.mark(RegisterState::kFenced);
  f.of[t] = nullptr;
  if (--f.remaining == 0) group.in_flight.erase(found);
}

void Products::abandon(CheckedRegisters& registers) {
  const int thread = current->thread, t = thread % kThreads;
  Warpgroup& group = groups_[static_cast<std::size_t>(thread / kThreads)];
  const auto found = std::find_if(group.in_flight.begin(), group.in_flight.end(),
                                  [&](const auto& f) { return f->of[t] == &registers; });
  if (found == group.in_flight.end()) return;
  if (!block_.cancelled()) {
    block_.report(FindingKind::kPendingRegister, thread, (*found)->where,
                  "registers of this product go out of scope before it has been waited for");
  }
  (*found)->of[t] = nullptr;
  if (--(*found)->remaining == 0) group.in_flight.erase(found);
}

bool Products::step(Random& random) {
  if (groups_.empty()) return false;
  Warpgroup& group = groups_[random.below(groups_.size())];
  if (group.jobs.empty()) return false;
  if (group.delay-- > 0) return true;
  perform(group.jobs.front());
  group.jobs.pop_front();
  group.delay = static_cast<int>(random.below(kLongestDelay));
  return true;
}

}  // namespace flashlight::emulator
