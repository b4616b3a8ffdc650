// SPDX-License-Identifier: Apache-2.0
// See interpret_cover.h.
#include "kernel/interpret_cover.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace flashlight::kernel {

namespace {

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

}  // namespace

// ---- what covers read

CoverValues::CoverValues(const Program& program, const CoverData& data, Points& points,
                         const graph::Binding& binding, std::vector<std::int64_t>& loops)
    : captured_(data),
      points_(points),
      binding_(binding),
      loops_(loops),
      row_(program.plan->row),
      stream_(program.plan->stream) {
  for (const fusion::Access& access : data.uniform)
    uniform_.push_back(static_cast<std::int64_t>(points.compile(access).run(loops.data())));
}

graph::Sym CoverValues::number(const graph::Sym& e) const {
  return static_cast<long>(graph::IndexCode(binding_.bound(e)).run(loops_.data(), uniform_.data()));
}

Interval CoverValues::bound(const Interval& x) const {
  Interval result = x;
  result.form = number(x.form);
  for (Interval& arg : result.args) arg = bound(arg);
  for (Cover& condition : result.conditions) condition = bound(condition);
  return result;
}

Cover CoverValues::bound(const Cover& cover) const {
  Cover result = cover;
  result.rest = number(cover.rest);
  for (Cover& arg : result.args) arg = bound(arg);
  result.left = bound(cover.left);
  result.right = bound(cover.right);
  return result;
}

double CoverValues::at(const PointSum& sum) {
  double total = static_cast<double>(number(sum.form).integer());
  for (const PointSum::Term& term : sum.terms)
    total +=
        static_cast<double>(number(term.factor).integer()) * points_.compile(term.value).run(loops_.data());
  return total;
}

Span CoverValues::rows(int index, std::int64_t row0, std::int64_t row_last) {
  auto [found, fresh] = rows_.try_emplace({index, row0});
  if (!fresh) return found->second;
  const std::int64_t before = loops_[row_];
  Span span{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (loops_[row_] = row0; loops_[row_] <= row_last; ++loops_[row_]) {
    const double x = at(captured_.rows[index]);
    if (std::isnan(x)) span = {x, x};
    if (std::isnan(span.lo)) break;
    span = {std::min(span.lo, x), std::max(span.hi, x)};
  }
  loops_[row_] = before;
  return found->second = span;
}

Span CoverValues::key(int index, std::int64_t j) {
  auto [found, fresh] = keys_.try_emplace({index, j});
  if (!fresh) return found->second;
  const std::int64_t before = loops_[stream_];
  loops_[stream_] = j;
  const double x = at(captured_.keys[index]);
  loops_[stream_] = before;
  return found->second = {x, x};
}

// ---- intervals

namespace {

// A tile, or a key of it.
struct Place {
  CoverValues& values;
  std::int64_t row0, row_last, key0, key_last;
};

Kept decide(const Cover& cover, const Place& at);

Span hull(std::initializer_list<double> values) {
  Span span{*values.begin(), *values.begin()};
  for (double x : values) {
    if (std::isnan(x)) return {x, x};
    span = {std::min(span.lo, x), std::max(span.hi, x)};
  }
  return span;
}

Span scaled(Span x, double by) { return hull({x.lo * by, x.hi * by}); }
Span plus(Span x, Span y) { return {x.lo + y.lo, x.hi + y.hi}; }

Span divided(Span x, double by) { return hull({std::floor(x.lo / by), std::floor(x.hi / by)}); }

Span remainder(Span x, double by) {
  const double size = std::fabs(by), lo = x.lo - std::floor(x.lo / by) * by,
               hi = x.hi - std::floor(x.hi / by) * by;
  if (x.hi - x.lo < size && lo <= hi) return {lo, hi};
  return by > 0 ? Span{0, by - 1} : Span{by + 1, 0};
}

Span span_of(const Interval& x, const Place& at) {
  const auto form = static_cast<double>(x.form.integer());
  auto arg = [&](std::size_t k) { return span_of(x.args[k], at); };
  auto fold = [&](auto combine) {
    Span result = arg(0);
    for (std::size_t k = 1; k < x.args.size(); ++k) result = combine(result, arg(k));
    return result;
  };
  switch (x.kind) {
    case Interval::Form:
      return plus({form, form}, plus(scaled({double(at.row0), double(at.row_last)}, double(x.a)),
                                     scaled({double(at.key0), double(at.key_last)}, double(x.b))));
    case Interval::Rows: return at.values.rows(x.index, at.row0, at.row_last);
    case Interval::Key: return at.values.key(x.index, at.key0);
    case Interval::Sum: return fold(plus);
    case Interval::Times: return scaled(arg(0), form);
    case Interval::Product: {
      const Span a = arg(0), b = arg(1);
      return hull({a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi});
    }
    case Interval::FloorDiv: return divided(arg(0), form);
    case Interval::Mod: return remainder(arg(0), form);
    case Interval::Least:
      return fold([](Span a, Span b) { return Span{hull({a.lo, b.lo}).lo, hull({a.hi, b.hi}).lo}; });
    case Interval::Greatest:
      return fold([](Span a, Span b) { return Span{hull({a.lo, b.lo}).hi, hull({a.hi, b.hi}).hi}; });
    case Interval::Magnitude: {
      const Span a = arg(0);
      if (a.lo <= 0 && a.hi >= 0) return {0, std::max(-a.lo, a.hi)};
      return hull({std::fabs(a.lo), std::fabs(a.hi)});
    }
    case Interval::Truth: {
      const Kept kept = decide(x.conditions[0], at);
      return {double(kept.all), double(kept.some)};
    }
    case Interval::Choice: {
      const Kept kept = decide(x.conditions[0], at);
      if (kept.all) return arg(0);
      if (!kept.some) return arg(1);
      const Span a = arg(0), b = arg(1);
      return hull({a.lo, a.hi, b.lo, b.hi});
    }
    case Interval::Real: return arg(0);
    case Interval::Number: return {x.number, x.number};
  }
  return {};
}

Kept decide(const Cover& cover, const Place& at) {
  auto form = [&] {
    const auto rest = static_cast<double>(cover.rest.integer());
    return plus({rest, rest}, plus(scaled({double(at.row0), double(at.row_last)}, double(cover.a)),
                                   scaled({double(at.key0), double(at.key_last)}, double(cover.b))));
  };
  switch (cover.kind) {
    case Cover::Unknown: return {};
    case Cover::Constant: return {cover.value, cover.value};
    case Cover::AtMostZero: {
      const Span x = form();
      return {x.lo <= 0, x.hi <= 0};
    }
    case Cover::Zero:
    case Cover::NotZero: {
      const Span x = form();
      const Kept zero{x.lo <= 0 && x.hi >= 0, x.lo == 0 && x.hi == 0};
      return cover.kind == Cover::Zero ? zero : Kept{!zero.all, !zero.some};
    }
    case Cover::And:
    case Cover::Or: {
      const bool both = cover.kind == Cover::And;
      Kept result{both, both};
      for (const Cover& arg : cover.args) {
        const Kept kept = decide(arg, at);
        result.some = both ? result.some && kept.some : result.some || kept.some;
        result.all = both ? result.all && kept.all : result.all || kept.all;
      }
      return result;
    }
    case Cover::Not: {
      const Kept kept = decide(cover.args[0], at);
      return {!kept.all, !kept.some};
    }
    default: break;
  }
  const Span x = span_of(cover.left, at), y = span_of(cover.right, at);  // NaN: some, and not all
  switch (cover.kind) {
    case Cover::AtMost: return {!(x.lo > y.hi), x.hi <= y.lo};
    case Cover::Below: return {!(x.lo >= y.hi), x.hi < y.lo};
    case Cover::Equal: return {!(x.lo > y.hi) && !(y.lo > x.hi), x.lo == y.hi && y.lo == x.hi};
    default: return {!(x.lo == 0 && x.hi == 0), x.lo > 0 || x.hi < 0};  // Holds
  }
}

}  // namespace

// ---- a cover

TileCover::TileCover(const Cover& cover, const CoverData& data, CoverValues& values)
    : values_(values),
      cover_(values.bound(cover)),
      intervals_(has_intervals(cover)),
      by_key_(reads_keys(data, cover)) {}

Kept TileCover::kept(const TileBox& tile) const {
  const std::int64_t last = tile.col0 + tile.n - 1, inside = std::min(last, tile.keys - 1);
  if (!by_key_)
    return decide(cover_, {values_, tile.row0, tile.row_last, tile.col0, intervals_ ? inside : last});
  Kept result{false, true};
  for (std::int64_t j = tile.col0; j <= inside; ++j) {
    const Kept here = decide(cover_, {values_, tile.row0, tile.row_last, j, j});
    result.some = result.some || here.some;
    result.all = result.all && here.all;
  }
  return result;
}

KeyRange TileCover::range(const Cover& cover, std::int64_t row0, std::int64_t row_last) {
  KeyRange result;
  if (cover.kind == Cover::And || cover.kind == Cover::Or) {
    // Of an intersection the inner bounds hold, of a union the outer ones, where all parts have one.
    const bool both = cover.kind == Cover::And;
    auto join = [&](std::optional<std::int64_t>& side, const std::optional<std::int64_t>& other,
                    bool greatest) {
      if (!side || !other) {
        side = !both ? std::nullopt : side ? side : other;
      } else {
        side = greatest ? std::max(*side, *other) : std::min(*side, *other);
      }
    };
    for (std::size_t k = 0; k < cover.args.size(); ++k) {
      const KeyRange r = range(cover.args[k], row0, row_last);
      if (k == 0) {
        result = r;
        continue;
      }
      join(result.begin, r.begin, both);
      join(result.end, r.end, !both);
    }
    return result;
  }
  if ((cover.kind != Cover::AtMostZero && cover.kind != Cover::Zero) || cover.b == 0) return result;
  auto over_rows = [&](bool upper) {
    return cover.a * ((cover.a > 0) == upper ? row_last : row0) + cover.rest.integer();
  };
  // b * j + lo <= 0 with lo the least of the rest over the rows; for an equality also b * j + hi >= 0.
  auto bound = [&](std::int64_t b, std::int64_t lo) {
    if (b > 0) result.end = floor_div(-lo, b) + 1;
    else result.begin = -floor_div(-lo, -b);
  };
  bound(cover.b, over_rows(false));
  if (cover.kind == Cover::Zero) bound(-cover.b, -over_rows(true));
  return result;
}

TileWalk::TileWalk(const Cover& live, const TileCover& bound, std::int64_t row0, std::int64_t row_last,
                   std::int64_t keys, std::int64_t n)
    : cover_(bound), box_{row0, row_last, 0, n, keys}, tested_(!is_interval(live)) {
  const KeyRange range = bound.range(row0, row_last);
  const std::int64_t end = range.end ? std::max<std::int64_t>(0, std::min(keys, *range.end)) : keys;
  tiles_ = (end + n - 1) / n;
  if (range.begin) first_ = std::max<std::int64_t>(0, *range.begin) / n;
}

std::int64_t TileWalk::begin_of(std::int64_t run, std::int64_t runs) const {
  return first_ + std::max<std::int64_t>(0, tiles_ - first_) * run / runs;
}

void TileWalk::take(std::int64_t run, std::int64_t runs) {
  const std::int64_t first = begin_of(run, runs), end = begin_of(run + 1, runs);
  first_ = first;
  tiles_ = end;
}

std::int64_t TileWalk::live_from(std::int64_t tile) const {
  if (!tested_) return tile;
  TileBox box = box_;
  for (; tile < tiles_; ++tile) {
    box.col0 = tile * box.n;
    if (!cover_.none(box)) break;
  }
  return tile;
}

}  // namespace flashlight::kernel
