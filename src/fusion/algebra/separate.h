// SPDX-License-Identifier: Apache-2.0
// Separation: rewriting a program into normal forms whose factors each depend on the keys or on the row,
// never both.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <stdexcept>

#include "fusion/algebra/normal_form.h"
#include "fusion/algebra/refusal.h"

namespace flashlight::fusion::algebra {

// Thrown inside the derivation; plan() turns it into another sweep or a Refusal.
struct Inseparable : std::runtime_error {
  Inseparable(Reason reason, const std::string& text, Expr at)
      : std::runtime_error(text), refusal{reason, text, at} {}
  Refusal refusal;
};

// Reductions computed by earlier sweeps, each with the form it had there.
using Knowns = std::map<Expr, NormalForm>;

// Which extremum of a key expression is its natural reference (x - max x): +1 max, -1 min.
using NaturalReferences = std::map<Expr, int>;

// One derivation. In the streamed mode, expressions are split into K (known at element j) and U (known when
// the sweep ends) parts and reductions become states. In the final mode there are no keys left: fix-ups are
// simplified.
class Separation {
 public:
  // `strict`: rows without keys keep the program's NaN, so that what is known of a hidden key is not used.
  // `inside`: what is derived is a term of a sum; elsewhere, strictly, an exponential keeps the row's
  // conditions that mask its exponent.
  Separation(Arena& arena, const Knowns& knowns, bool strict = false, bool inside = false);
  // Final mode: sums that hold one of `references` are multiplied out so that it can cancel.
  static Separation fixup(Arena& arena, const Knowns& knowns, std::vector<Expr> references);

  // Throws Inseparable.
  const NormalForm& form(Expr e);
  // Joins the sums that one contraction can compute: sum_a r_a S[f_a v] = S[(sum_a r_a f_a) v] for r_a known
  // before the sweep.
  void join_sums(std::vector<NormalForm>& outputs);
  // The extremum over the keys of a form without U part, as a form of states; +1 max, -1 min.
  NormalForm extremum_of_keys(const NormalForm& keys, int sign);

  const Knowns& knowns() const { return knowns_; }
  // Key expressions that were centred, and those whose reference is an extremum the program already uses.
  const std::set<Expr>& centred() const { return centred_; }
  const NaturalReferences& natural() const { return natural_; }

 private:
  std::uint8_t kind(const Product& p) const { return seen(kind_of(p)); }
  std::uint8_t kind(const Monomial& m) const { return seen(kind_of(m)); }
  std::uint8_t kind(const NormalForm& a) const { return seen(kind_of(a)); }
  std::uint8_t kind(Expr e) const { return seen(e.node().kind); }
  std::uint8_t seen(std::uint8_t kind) const { return final_ && kind ? std::uint8_t{kUnknown} : kind; }

  // separate.cpp: sums and products
  struct Parts {
    Monomial keys, rest;
  };
  Parts split(const Monomial& m) const;
  std::map<Monomial, NormalForm> group(const NormalForm& a) const;  // by U part
  NormalForm as_atom(const NormalForm& a);
  static bool stays_whole(const NormalForm& keys);
  NormalForm product(const NormalForm& a, const NormalForm& b);
  NormalForm regroup(const NormalForm& a);
  NormalForm merge_masks(const NormalForm& terms);
  NormalForm mask_outside(const NormalForm& a);
  NormalForm centre(const NormalForm& a);
  NormalForm uncentre(const NormalForm& a);
  bool holds_reference(const NormalForm& a) const;
  NormalForm derive(Expr e);

  // separate_maps.cpp: pow, exp, log and other functions
  struct Aligned {
    NormalForm form;
    ExponentSum exponent;
  };
  Aligned align(const NormalForm& a);
  NormalForm power(const NormalForm& a, double n);
  NormalForm power_of_monomial(const Monomial& m, double c, double n);
  NormalForm exponential_of(const NormalForm& a);
  std::optional<NormalForm> exponential_below_known(const NormalForm& a);
  NormalForm logarithm(const NormalForm& a);
  NormalForm clamp(Expr e);
  NormalForm function(Expr e);
  NormalForm call(Expr e);

  // separate_select.cpp: conditions and selects
  Expr condition(Expr e);
  Expr comparison(Expr e);
  std::optional<NormalForm> own_elements(Expr known, const NormalForm& a);
  Expr isolate_extremum(NormalForm& a, NormalForm& b);
  Expr own_extremum(Expr e, const NormalForm& a, const NormalForm& b);
  Expr sign_of_keys(Expr e, const Monomial& keys, double c);
  Expr attained_maximum(Op op, const NormalForm& a, const NormalForm& b);
  NormalForm boolean(Expr e);
  NormalForm zeroed(Expr condition, const NormalForm& keys, bool negated);
  NormalForm select(Expr e);
  NormalForm select_mixed(Expr condition, const NormalForm& a, const NormalForm& b);

  // join_sums.cpp
  struct ColumnSum;
  std::optional<ColumnSum> column_sum(const Monomial& m, double c);
  NormalForm settle_exponential(Monomial& outside, const Monomial& body);

  // separate_reduce.cpp: reductions and scans
  NormalForm reduce_sum(Expr term);
  NormalForm reduce_extremum(Expr term, int sign);
  NormalForm extremum(const NormalForm& a, int sign);
  NormalForm reduce_prod(Expr term);
  Expr reduce_any(Expr condition, bool negated);
  NormalForm scan(Expr e);

  [[noreturn]] void refuse(Reason reason, const std::string& what, const NormalForm& at);

  Arena& arena_;
  const Knowns& knowns_;
  bool strict_ = false, rows_stay_ = false;
  bool final_ = false;
  std::vector<Expr> references_;
  std::map<Expr, NormalForm> memo_;
  std::set<Expr> centred_;
  NaturalReferences natural_;
};

// Whether an element that attains this extremum, a state or what is made of one, equals it to the last bit.
bool is_exact_extremum(Expr fixup);

}  // namespace flashlight::fusion::algebra
