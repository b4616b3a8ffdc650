// SPDX-License-Identifier: Apache-2.0
// What a random program computes, apart from the C++ it is written in.
#include "pieces.h"

namespace flashlight::sources {

namespace {

const Name kI{"const Tensor&", "i"}, kJ{"const Tensor&", "j"};

}  // namespace

std::string Pieces::parameter(const std::string& type, const std::string& stem, const std::string& argument) {
  std::string name = stem + std::to_string(parameters_.size());
  parameters_.push_back({type, name, argument});
  return name;
}

Piece Pieces::score() {
  switch (d_.below(4)) {
    case 0: return {d_.one_of({"# * 0.5", "# / 2", "0.25f * #", "#.mul(0.75)", "# + 1", "-#"}), {}, "number"};
    case 1: return pointwise();
    case 2: return position();
    default: return bias();
  }
}

// Monotone or not, but smooth or at least continuous: an error of the scores stays as small as it is.
Piece Pieces::pointwise() {
  static const std::vector<std::string> functions = {"tanh",     "sigmoid", "relu",       "abs", "silu",
                                                     "softplus", "sin",     "cos",        "erf", "square",
                                                     "gelu",     "neg",     "log_sigmoid"};
  unsigned form = d_.below(5);
  std::string f = d_.one_of(functions);
  if (form == 0) return {f + "(#)", {}, f};
  if (form == 1) return {"#." + f + "()", {}, f};
  if (form == 2) {
    std::string cap = parameter("double", "cap", d_.one_of({"20", "5.5", "50"}));
    return {cap + " * tanh(# / " + cap + ")", {{"double", cap}}, "softcap"};
  }
  if (form == 3)
    return {
        d_.one_of({"clamp(#, -3, 3)", "#.clamp_min(-2)", "maximum(#, -1.5)", "minimum(#, 4)"}), {}, "clamp"};
  return {"where(# > 1e30, 0.0, #)", {}, "where"};
}

Piece Pieces::position() {
  static const std::vector<std::string> plain = {"# + 0.125 * (j - i)", "# - abs(i - j) * 0.0625",
                                                 "# - 0.01 * square(i - j)", "# + (j % 5) * 0.5",
                                                 "# + floor_divide(j, 8) * 0.25"};
  if (d_.below(2) == 0) return {d_.one_of(plain), {kI, kJ}, "position"};
  std::string slope = parameter("const Tensor&", "slope", "c.randn({c.h(), 1, 1})");
  return {"# + " + slope + " * (j - i) * 0.125", {kI, kJ, {"const Tensor&", slope}}, "slopes"};
}

Piece Pieces::bias() {
  static const std::vector<std::string> shapes = {"c.randn({c.sq(), c.sk()})",
                                                  "c.randn({c.sk()})",
                                                  "c.randn({c.h(), 1, 1})",
                                                  "c.randn({c.b(), 1, 1, c.sk()})",
                                                  "c.randn({c.b(), c.h(), c.sq(), c.sk()})",
                                                  "c.randn({c.h(), c.sq(), 1})"};
  std::string bias = parameter("const Tensor&", "bias", d_.one_of(shapes));
  return {d_.one_of({"# + ", "# * ", "# - "}) + bias, {{"const Tensor&", bias}}, "bias"};
}

Piece Pieces::simple_predicate() {
  switch (d_.below(6)) {
    case 0: return {d_.one_of({"j <= i", "i >= j", "~(j > i)", "(i - j) >= 0"}), {kI, kJ}, "causal"};
    case 1: {
      std::string w = parameter("int64_t", "window", d_.one_of({"16", "3", "100"}));
      return {d_.one_of({"i - j < ", "abs(i - j) <= "}) + w, {kI, kJ, {"int64_t", w}}, "window"};
    }
    case 2: {
      std::string n = parameter("int64_t", "prefix", d_.one_of({"8", "1", "1000"}));
      return {"j < " + n, {kJ, {"int64_t", n}}, "prefix"};
    }
    case 3:
      return {d_.one_of({"floor_divide(i, 16) == floor_divide(j, 16)", "(i % 4) != (j % 3)", "j % 2 == 0"}),
              {kI, kJ},
              "blocks"};
    case 4: {
      std::string lengths =
          parameter("const Tensor&", "lengths", "(arange(c.b()) * 9 + 20).view({c.b(), 1, 1, 1})");
      return {"j < " + lengths, {kJ, {"const Tensor&", lengths}}, "lengths"};
    }
    default: {
      std::string rows = parameter("const Tensor&", "rows", "floor_divide(arange(c.sq()), 11)");
      std::string keys = parameter("const Tensor&", "columns", "floor_divide(arange(c.sk()), 11)");
      return {rows + ".unsqueeze(-1) == " + keys,
              {{"const Tensor&", rows}, {"const Tensor&", keys}},
              "documents"};
    }
  }
}

Piece Pieces::predicate() {
  Piece first = simple_predicate();
  if (!d_.maybe(35)) return first;
  Piece second = simple_predicate();
  for (const Name& n : second.names) {
    bool known = false;
    for (const Name& have : first.names) known |= have == n;
    if (!known) first.names.push_back(n);
  }
  switch (d_.below(3)) {
    case 0: first.text = "(" + first.text + ") & (" + second.text + ")"; break;
    case 1: first.text = "(" + first.text + ") | (" + second.text + ")"; break;
    default: first.text = "logical_and(" + first.text + ", " + second.text + ")"; break;
  }
  first.feature += " and " + second.feature;
  return first;
}

// The finite fill is small enough for float64 to add the logarithm of a sum to it. At -1e30 an eager exp(s -
// logsumexp(s)) gives 1 for every key of a row that is filled throughout, where the kernel, whose algebra is
// exact, attends uniformly.
Piece Pieces::mask(const Piece& p) {
  static const std::vector<std::string> forms = {
      "where($, #, -INFINITY)", "#.masked_fill(~($), -INFINITY)", "# + where($, 0.0, -INFINITY)",
      "where(logical_not($), -INFINITY, #)", "masked_fill(#, logical_not($), -1e9)"};
  std::string form = d_.one_of(forms);
  form.replace(form.find('$'), 1, p.text);
  return {form, p.names, p.feature};
}

}  // namespace flashlight::sources
