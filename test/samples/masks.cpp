// SPDX-License-Identifier: Apache-2.0
// See masks.h.
#include "masks.h"

#include <cmath>

using namespace flashlight;

// ---- masks of positions

template <class Inner> static auto batchify(Inner inner, int64_t length) {
  return [=](const Tensor& i, const Tensor& j) {
    return (floor_divide(i, length) == floor_divide(j, length)) & inner(i % length, j % length);
  };
}
static Tensor causal(const Tensor& i, const Tensor& j) { return j <= i; }
static auto within(int64_t window) {
  return [=](const Tensor& i, const Tensor& j) { return abs(i - j) <= window; };
}
template <class F, class G> static auto either(F f, G g) {
  return [=](const Tensor& i, const Tensor& j) { return f(i, j) | g(i, j); };
}
template <class F, class G> static auto but_not(F f, G g) {
  return [=](const Tensor& i, const Tensor& j) { return f(i, j) & ~g(i, j); };
}

#define POSITIONS(NAME, ...)                                             \
  struct NAME {                                                          \
    static Tensor sees(const Tensor& i, const Tensor& j) { __VA_ARGS__ } \
  };
POSITIONS(Causal, return causal(i, j);)
POSITIONS(AntiCausal, return j >= i;)
POSITIONS(Window, Tensor d = i - j; return (d >= 0) & (d <= 150);)
POSITIONS(TwoSided, return within(90)(i, j);)
POSITIONS(Dilated, Tensor d = i - j; return (d >= 0) & (d <= 300) & (d % 3 == 0);)
POSITIONS(FarApart, return (i - j) % 400 == 0;)
POSITIONS(Prefix, return (j < 100) | (j <= i);)
POSITIONS(Blocks, return floor_divide(i, 100) == floor_divide(j, 100);)
POSITIONS(EarlierBlocks, return floor_divide(j, 100) < floor_divide(i, 100);)
POSITIONS(BlockCausal, return j < (floor_divide(i, 64) + 1) * 64;)
POSITIONS(NearBlocks, return abs(floor_divide(i, 64) - floor_divide(j, 64)) <= 1;)
POSITIONS(OneBlockSize, return floor_divide(i, 128) == floor_divide(j, 128);)
POSITIONS(Batchified, return batchify(causal, 128)(i, j);)
POSITIONS(BatchifiedUnevenly, return batchify(causal, 50)(i, j);)
POSITIONS(BatchifiedTwice, return batchify(batchify(within(10), 64), 256)(i, j);)
POSITIONS(WindowOrSink,
          return either(within(60), [](const Tensor&, const Tensor& j) { return j < 4; })(i, j) & (j <= i);)
POSITIONS(OutsideOfAWindow, return but_not(causal, within(200))(i, j);)
POSITIONS(Strided, return (j <= i) & ((i - j < 64) | ((i - j) % 64 == 0));)
POSITIONS(FixedPattern,
          return (j <= i) & ((floor_divide(i, 128) == floor_divide(j, 128)) | (j % 128 >= 124));)
POSITIONS(AtAClampedDistance, return clamp(i - j, 0, 200) == 70;)
POSITIONS(BothEarly, return maximum(i, j) <= 140;)
POSITIONS(UnderAHyperbola, return i * j <= 9000;)
POSITIONS(InACircle, return i * i + j * j <= 90000;)
POSITIONS(ExclusiveOr, return (j <= i) ^ (j < 70);)
POSITIONS(Nothing, return (j < i) & (j > i + 2);)

// ---- masks of captured values

#define CAPTURED(NAME, ...)                                                                   \
  struct NAME {                                                                               \
    static Tensor sees(const Tensor& b, const Tensor& i, const Tensor& j, const Tensor& rows, \
                       const Tensor& keys) {                                                  \
      Tensor row = rows.index({b, i}), key = keys.index({b, j});                              \
      __VA_ARGS__                                                                             \
    }                                                                                         \
  };
CAPTURED(Document, return row == key;)
CAPTURED(OtherDocuments, return row != key;)
CAPTURED(DocumentCausal, return (row == key) & (j <= i);)
CAPTURED(DocumentOrWindow, return (row == key) | within(20)(i, j);)
CAPTURED(NeighbouringDocuments, return abs(row - key) <= 1;)
CAPTURED(LaterDocuments, return row < key;)
CAPTURED(SameHalf, return floor_divide(row, 4) == floor_divide(key, 4);)
CAPTURED(EvenDocuments, return (row == key) & (key % 2 == 0);)
CAPTURED(RowLengths, return j < row * 60;)
CAPTURED(KeyLives, return (j <= i) & (i <= j + key * 10);)
CAPTURED(WideAndNarrow, return abs(i - j) <= where(key % 2 == 0, 10, 100);)
CAPTURED(ManyOfBoth, return (row.to(kInt64) * key) % 7 == 3;)

#define THROUGH(NAME, ...)                                                                    \
  struct NAME {                                                                               \
    static Tensor sees(const Tensor& b, const Tensor& i, const Tensor& j, const Tensor& rows, \
                       const Tensor& keys, const Tensor& table) {                             \
      Tensor row = rows.index({b, i}), key = keys.index({b, j});                              \
      __VA_ARGS__                                                                             \
    }                                                                                         \
  };
THROUGH(PositionInDocument, return (row == key) & (j - table.index({key}) <= i - table.index({row}));)
THROUGH(ImageBefore, return (table.index({key}) <= i) & (i < table.index({key + 1})) & (row >= 0);)
THROUGH(KindOfDocument, return (table.index({key}) % 3 == 1) & (row == key);)
THROUGH(Chained, return table.index({table.index({key}) % 7}) <= table.index({row});)

struct GlobalTokens {
  static Tensor sees(const Tensor&, const Tensor& i, const Tensor& j, const Tensor& rows,
                     const Tensor& keys) {
    return within(40)(i, j) | rows.index({i}) | keys.index({j});
  }
};
struct Dense {
  static Tensor sees(const Tensor& dense, const Tensor&, const Tensor&) { return dense; }
};
struct DenseCausal {
  static Tensor sees(const Tensor& dense, const Tensor& i, const Tensor& j) { return dense & (j <= i); }
};
struct DenseOrWindow {
  static Tensor sees(const Tensor& dense, const Tensor& i, const Tensor& j) {
    return dense | within(20)(i, j);
  }
};
struct BothPresent {
  static Tensor sees(const Tensor&, const Tensor& i, const Tensor& j, const Tensor& rows,
                     const Tensor& keys) {
    return rows.index({i}) & ~keys.index({j});
  }
};
struct OneOfTwo {
  static Tensor sees(const Tensor&, const Tensor& i, const Tensor& j, const Tensor& rows,
                     const Tensor& keys) {
    return rows.index({i}) ^ keys.index({j});
  }
};

// ---- attention, for any mask

// q: [B, Sq, D]   k, v: [B, Sk, D]   A mask of positions alone.
template <class M> FLASHLIGHT_FUSE Tensor attend_where(const Tensor& q, const Tensor& k, const Tensor& v) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  return matmul(softmax(where(M::sees(i, j), scores, -INFINITY), -1), v);
}

// rows: [B, Sq]   keys: [B, Sk]   What queries and keys are.
template <class M>
FLASHLIGHT_FUSE Tensor attend_by(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& rows,
                                 const Tensor& keys) {
  assume(q.dim() == 3);
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor b = arange(q.size(0)).view({-1, 1, 1}), i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  return matmul(softmax(where(M::sees(b, i, j, rows, keys), scores, -INFINITY), -1), v);
}

// dense: [B, Sq, Sk], bool
template <class M> FLASHLIGHT_FUSE Tensor attend_dense(const Tensor& q, const Tensor& k, const Tensor& v,
                                                       const Tensor& dense) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  return matmul(softmax(where(M::sees(dense, i, j), scores, -INFINITY), -1), v);
}

FLASHLIGHT_FUSE Tensor attend_filled(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& rows,
                                     const Tensor& keys) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor b = arange(q.size(0)).view({-1, 1, 1}), i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  return matmul(softmax(where(Document::sees(b, i, j, rows, keys), scores, -1e10), -1), v);
}

// And a table that they point into.
template <class M>
FLASHLIGHT_FUSE Tensor attend_through(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& rows,
                                      const Tensor& keys, const Tensor& table) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  Tensor b = arange(q.size(0)).view({-1, 1, 1}), i = arange(q.size(-2)).unsqueeze(-1), j = arange(k.size(-2));
  return matmul(softmax(where(M::sees(b, i, j, rows, keys, table), scores, -INFINITY), -1), v);
}

// ---- all of them

template <class M> static FusedMask of_positions(const char* name, bool all_empty = true,
                                                 bool all_full = true) {
  return {name,
          [](const Tensor& q, const Tensor& k, const Tensor& v, const Captured&) {
            return attend_where<M>(q, k, v);
          },
          [](const Tensor&, const Tensor& i, const Tensor& j, const Captured&) { return M::sees(i, j); },
          all_empty, all_full};
}
template <class M> static FusedMask of_captured(const char* name, bool all_empty = true,
                                                bool all_full = true) {
  return {name,
          [](const Tensor& q, const Tensor& k, const Tensor& v, const Captured& c) {
            return attend_by<M>(q, k, v, c.rows, c.keys);
          },
          [](const Tensor& b, const Tensor& i, const Tensor& j, const Captured& c) {
            return M::sees(b, i, j, c.rows, c.keys);
          },
          all_empty, all_full};
}
template <class M> static FusedMask of_flags(const char* name, bool all_empty = true, bool all_full = true) {
  return {name,
          [](const Tensor& q, const Tensor& k, const Tensor& v, const Captured& c) {
            return attend_by<M>(q, k, v, c.row_flag, c.key_flag);
          },
          [](const Tensor& b, const Tensor& i, const Tensor& j, const Captured& c) {
            return M::sees(b, i, j, c.row_flag, c.key_flag);
          },
          all_empty, all_full};
}
template <class M> static FusedMask of_table(const char* name, bool all_empty = true, bool all_full = true) {
  return {name,
          [](const Tensor& q, const Tensor& k, const Tensor& v, const Captured& c) {
            return attend_through<M>(q, k, v, c.rows, c.keys, c.table);
          },
          [](const Tensor& b, const Tensor& i, const Tensor& j, const Captured& c) {
            return M::sees(b, i, j, c.rows, c.keys, c.table);
          },
          all_empty, all_full};
}

template <class M> static FusedMask of_dense(const char* name, bool all_empty = true, bool all_full = true) {
  return {name,
          [](const Tensor& q, const Tensor& k, const Tensor& v, const Captured& c) {
            return attend_dense<M>(q, k, v, c.dense);
          },
          [](const Tensor&, const Tensor& i, const Tensor& j, const Captured& c) {
            return M::sees(c.dense, i, j);
          },
          all_empty,
          all_full,
          true};
}

FusedMask filled_documents() {
  return {"documents, filled",
          [](const Tensor& q, const Tensor& k, const Tensor& v, const Captured& c) {
            return attend_filled(q, k, v, c.rows, c.keys);
          },
          [](const Tensor& b, const Tensor& i, const Tensor& j, const Captured& c) {
            return Document::sees(b, i, j, c.rows, c.keys);
          },
          true, true};
}

std::vector<FusedMask> fused_masks() {
  return {
      of_positions<Causal>("causal"),
      of_positions<AntiCausal>("anti-causal"),
      of_positions<Window>("window"),
      of_positions<TwoSided>("two-sided window"),
      of_positions<Dilated>("dilated window"),
      of_positions<FarApart>("multiples of a distance"),
      of_positions<Prefix>("prefix"),
      of_positions<Blocks>("blocks"),
      of_positions<EarlierBlocks>("earlier blocks"),
      of_positions<BlockCausal>("causal by blocks"),
      of_positions<NearBlocks>("blocks that are near"),
      of_positions<OneBlockSize>("blocks of a tile's size"),
      of_positions<Batchified>("causal sequences"),
      of_positions<BatchifiedUnevenly>("causal sequences of any length", false),
      of_positions<BatchifiedTwice>("windows in sequences in sequences", false),
      of_positions<WindowOrSink>("window or first keys", false, false),
      of_positions<OutsideOfAWindow>("outside of a window"),
      of_positions<Strided>("strided", false, false),
      of_positions<FixedPattern>("fixed pattern", false, false),
      of_positions<AtAClampedDistance>("at a clamped distance"),
      of_positions<BothEarly>("both early"),
      of_positions<UnderAHyperbola>("under a hyperbola"),
      of_positions<InACircle>("in a circle"),
      of_positions<ExclusiveOr>("exclusive or", false, false),
      of_positions<Nothing>("nothing", false),
      of_captured<Document>("documents"),
      of_captured<OtherDocuments>("other documents"),
      of_captured<DocumentCausal>("documents, causal", false, false),
      of_captured<DocumentOrWindow>("documents or a window", true, false),
      of_captured<NeighbouringDocuments>("neighbouring documents"),
      of_captured<LaterDocuments>("later documents"),
      of_captured<SameHalf>("groups of documents"),
      of_captured<EvenDocuments>("even documents", false),
      of_captured<RowLengths>("lengths by row"),
      of_captured<KeyLives>("as long as a key lives"),
      of_captured<WideAndNarrow>("windows by key"),
      of_captured<ManyOfBoth>("products of both", false, false),
      of_table<PositionInDocument>("causal inside of documents", false, false),
      of_table<ImageBefore>("text sees the image before it"),
      of_table<KindOfDocument>("documents of a kind", false, false),
      of_table<Chained>("a table of a table", false, false),
      of_dense<Dense>("dense"),
      of_dense<DenseCausal>("dense, causal"),
      of_dense<DenseOrWindow>("dense or a window"),
      of_flags<GlobalTokens>("global tokens and a window", true, false),
      of_flags<BothPresent>("both are there"),
      of_flags<OneOfTwo>("one of two"),
  };
}
