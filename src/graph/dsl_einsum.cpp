// SPDX-License-Identifier: Apache-2.0
// einsum: reads an equation and lays its letters on the operands' axes.
#include "graph/dsl_einsum.h"

#include <algorithm>
#include <cctype>

namespace flashlight::graph {
namespace {

struct Term {
  Letters before, after;  // letters before and behind the ellipsis; all are in `before` without one
  bool ellipsis = false;
  int count() const { return static_cast<int>(before.size() + after.size()); }
};

struct Equation {
  std::vector<Term> terms;
  std::optional<Term> result;
};

Term read_term(std::string_view text, const Args& a) {
  Term term;
  for (std::size_t k = 0; k < text.size(); ++k) {
    char c = text[k];
    if (c == ' ') continue;
    if (text.substr(k, 3) == "..." && !term.ellipsis) {
      term.ellipsis = true;
      k += 2;
    } else if (std::isalpha(static_cast<unsigned char>(c))) {
      (term.ellipsis ? term.after : term.before).push_back(c);
    } else {
      a.fail("bad-equation", "unexpected '" + std::string(1, c) + "' in the equation",
             "write it as \"bhid,bhjd->bhij\"");
    }
  }
  return term;
}

Equation read_equation(std::string_view text, const Args& a) {
  Equation equation;
  std::size_t arrow = text.find("->");
  std::string_view left = text.substr(0, arrow);
  for (std::size_t from = 0; from <= left.size();) {
    std::size_t comma = std::min(left.find(',', from), left.size());
    equation.terms.push_back(read_term(left.substr(from, comma - from), a));
    from = comma + 1;
  }
  if (arrow != std::string_view::npos) equation.result = read_term(text.substr(arrow + 2), a);
  return equation;
}

// Without "->": the ellipsis and the letters that occur once, in alphabetical order.
Term implied_result(const Equation& equation) {
  Term result;
  std::map<int, int> count;
  for (const Term& term : equation.terms) {
    result.ellipsis = result.ellipsis || term.ellipsis;
    for (int letter : term.before) ++count[letter];
    for (int letter : term.after) ++count[letter];
  }
  for (auto [letter, times] : count)
    if (times == 1) (result.ellipsis ? result.after : result.before).push_back(letter);
  return result;
}

// Moves axes in front of the ellipsis behind it, so that batch axes lead.
Factor lay_out(const TensorView& v, const Term& term) {
  if (!term.ellipsis) return {v, term.before};
  Factor f{v, leading_letters(v, term.count())};
  Letters letters = term.before;
  letters.insert(letters.end(), f.letters.begin(), f.letters.end());
  letters.insert(letters.end(), term.after.begin(), term.after.end());
  return {v, letters};
}

}  // namespace

TensorView einsum(Builder& b, std::string_view text, const std::vector<TensorView>& operands, const Args& a) {
  Equation equation = read_equation(text, a);
  if (equation.terms.size() != operands.size())
    a.fail("bad-equation", "the equation has " + std::to_string(equation.terms.size()) +
                               " operands, the call " + std::to_string(operands.size()));
  std::vector<int> own;
  std::vector<TensorView> batched;
  for (std::size_t k = 0; k < operands.size(); ++k) {
    const Term& term = equation.terms[k];
    if (!term.ellipsis || !term.before.empty()) {
      if (!term.ellipsis) need_exact(b, operands[k], term.count(), a);
      else need_known(b, operands[k], term.count(), kUsualRank, a);
    }
    need_trailing(b, operands[k], term.count(), a);
    if (!term.ellipsis) continue;
    batched.push_back(operands[k]);
    own.push_back(term.count());
  }
  align_leading(b, batched, own, a);

  std::vector<Factor> factors;
  Letters batch, known;
  for (std::size_t k = 0; k < operands.size(); ++k) {
    factors.push_back(lay_out(operands[k], equation.terms[k]));
    known.insert(known.end(), factors.back().letters.begin(), factors.back().letters.end());
    if (!equation.terms[k].ellipsis) continue;
    Letters leading = leading_letters(operands[k], equation.terms[k].count());
    if (leading.size() > batch.size()) batch = leading;
  }
  Term result = equation.result ? *equation.result : implied_result(equation);
  if (!result.before.empty())  // the pack must stay in front
    for (const TensorView& v : batched)
      if (v.pack) need_known(b, v, 0, kUsualRank, a);
  Letters out = result.before;
  if (result.ellipsis) out.insert(out.end(), batch.begin(), batch.end());
  out.insert(out.end(), result.after.begin(), result.after.end());
  for (std::size_t k = 0; k < out.size(); ++k) {
    const std::string letter = "'" + std::string(1, static_cast<char>(out[k])) + "'";
    if (std::find(known.begin(), known.end(), out[k]) == known.end())
      a.fail("bad-equation", "the result has the letter " + letter + ", which no operand has");
    if (std::find(out.begin(), out.begin() + k, out[k]) != out.begin() + k)
      a.fail("bad-equation", "the result has the letter " + letter + " twice");
  }
  return contract(b, std::move(factors), out, a);
}

}  // namespace flashlight::graph
