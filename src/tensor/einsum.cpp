// SPDX-License-Identifier: Apache-2.0
// einsum: operands are contracted from left to right, two at a time, each time as one batched matrix product.
#include <flashlight/ops.h>

#include <algorithm>
#include <map>

#include "tensor/contract.h"
#include "tensor/promote.h"

namespace flashlight {
namespace {

using detail::fail;

// A tensor whose dims carry letters, each letter once.
struct Labelled {
  Tensor tensor;
  std::string labels;

  bool has(char label) const { return labels.find(label) != std::string::npos; }
  std::int64_t size(char label) const { return tensor.size(static_cast<std::int64_t>(labels.find(label))); }
};

struct Equation {
  std::vector<std::string> operands;
  std::string output;
};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
// A letter, or what stands for one of the dims of "...".
bool is_label(char c) { return is_letter(c) || (c >= 1 && c <= 16); }

// "...id,...jd->...ij" with the dots spelled out: each stands for the leading dims of its operand that no
// letter names, aligned at their ends, and takes letters that no equation has. Without "->" they come first
// in the output.
std::string without_dots(const std::string& text, const TensorList& tensors) {
  if (text.find("...") == std::string::npos) return text;
  const std::size_t arrow = std::min(text.find("->"), text.size());
  std::string out, most;
  std::size_t operand = 0;
  for (std::size_t i = 0; i < arrow;) {
    const std::size_t end = std::min(text.find(',', i), arrow);
    std::string term = text.substr(i, end - i);
    if (const std::size_t dots = term.find("..."); dots != std::string::npos) {
      const auto letters = std::count_if(term.begin(), term.end(), is_letter);
      const std::int64_t dims = operand < tensors.size() ? tensors.begin()[operand].dim() - letters : 0;
      if (dims < 0 || dims > 16)
        fail("einsum", tensors,
             "\"" + text + "\": operand " + std::to_string(operand + 1) + " has no dims for \"...\"");
      std::string spelled;
      for (std::int64_t d = dims; d > 0; --d)
        spelled += static_cast<char>(d);  // control characters: no letter of the user's
      if (spelled.size() > most.size()) most = spelled;
      term.replace(dots, 3, spelled);
    }
    out += term + (end < arrow ? "," : "");
    i = end + 1;
    ++operand;
  }
  std::string output = arrow < text.size() ? text.substr(arrow) : "";
  if (const std::size_t dots = output.find("..."); dots != std::string::npos) output.replace(dots, 3, most);
  return out + output;
}

// "bhid,bhjd->bhij". Without "->" the output is the letters that occur once, in alphabetical order.
Equation parse(const std::string& given, const TensorList& tensors) {
  const std::string text = without_dots(given, tensors);
  Equation equation{{""}, ""};
  std::map<char, int> occurrences;
  bool in_output = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ' ') continue;
    if (c == '-' && !in_output && i + 1 < text.size() && text[i + 1] == '>') {
      in_output = true;
      ++i;
    } else if (c == ',' && !in_output) {
      equation.operands.emplace_back();
    } else if (is_label(c) && in_output) {
      if (equation.output.find(c) != std::string::npos)
        fail("einsum", tensors, "\"" + given + "\": letter '" + c + "' occurs twice in the output");
      if (!occurrences.count(c))
        fail("einsum", tensors, "\"" + given + "\": output letter '" + c + "' occurs in no operand");
      equation.output += c;
    } else if (is_label(c)) {
      equation.operands.back() += c;
      ++occurrences[c];
    } else {
      fail("einsum", tensors,
           "\"" + given + "\": unexpected '" + c + "' (letters, commas and one -> are allowed)");
    }
  }
  if (!in_output) {
    for (char dim = 16; dim > 0; --dim)
      if (occurrences.count(dim)) equation.output += dim;
    for (const auto& [letter, count] : occurrences)
      if (is_letter(letter) && count == 1) equation.output += letter;
  }
  if (equation.operands.size() != tensors.size())
    fail("einsum", tensors,
         "\"" + given + "\" has " + std::to_string(equation.operands.size()) + " operands, given are " +
             std::to_string(tensors.size()));
  return equation;
}

// Gives each dim its letter; a letter that occurs twice takes the diagonal.
Labelled label(const Tensor& x, const std::string& letters, const TensorList& all) {
  if (static_cast<std::int64_t>(letters.size()) != x.dim())
    fail("einsum", all,
         "\"" + letters + "\" names " + std::to_string(letters.size()) + " dims of a tensor with " +
             std::to_string(x.dim()));
  std::string labels;
  Sizes sizes, strides;
  for (std::size_t i = 0; i < letters.size(); ++i) {
    const std::size_t seen = labels.find(letters[i]);
    const std::int64_t size = x.impl()->sizes[i], stride = x.impl()->strides[i];
    if (seen == std::string::npos) {
      labels += letters[i];
      sizes.push_back(size);
      strides.push_back(stride);
      continue;
    }
    if (sizes[seen] != size)
      fail("einsum", all,
           std::string("letter '") + letters[i] + "' names sizes " + std::to_string(sizes[seen]) + " and " +
               std::to_string(size) + " of one operand");
    strides[seen] += stride;
  }
  return {detail::alias(x, sizes, strides), labels};
}

void check_sizes(const std::vector<Labelled>& operands, const TensorList& all) {
  std::map<char, std::int64_t> sizes;
  for (const Labelled& operand : operands)
    for (char letter : operand.labels) {
      const std::int64_t size = operand.size(letter);
      std::int64_t& common = sizes.emplace(letter, size).first->second;
      if (common == 1) common = size;
      if (size != 1 && size != common)
        fail("einsum", all,
             std::string("letter '") + letter + "' names sizes " + std::to_string(common) + " and " +
                 std::to_string(size));
    }
}

// Sums over the letters that nothing else needs.
Labelled sum_out(const Labelled& x, const std::string& needed, DType dtype) {
  Sizes dims;
  std::string left;
  for (std::size_t i = 0; i < x.labels.size(); ++i) {
    if (needed.find(x.labels[i]) == std::string::npos) dims.push_back(static_cast<std::int64_t>(i));
    else left += x.labels[i];
  }
  return dims.empty() ? x : Labelled{sum(x.tensor.to(dtype), dims), left};
}

// x as a matrix per batch index: dims in the order of the three groups of letters, each letter of the given
// size, and each group joined to one dim.
Tensor as_matrices(const Labelled& x, const std::string& batch, const std::string& rows,
                   const std::string& columns, const std::map<char, std::int64_t>& size_of) {
  Sizes order, full, joined;
  for (const std::string* group : {&batch, &rows, &columns}) {
    std::int64_t product = 1;
    for (char letter : *group) {
      order.push_back(static_cast<std::int64_t>(x.labels.find(letter)));
      full.push_back(size_of.at(letter));
      product *= full.back();
    }
    joined.push_back(product);
  }
  return detail::permuted(x.tensor, order).expand(full).reshape(joined);
}

Labelled contract(Labelled a, Labelled b, const std::string& needed, DType dtype) {
  a = sum_out(a, needed + b.labels, dtype);
  b = sum_out(b, needed + a.labels, dtype);
  std::string batch, rows, columns, inner;
  std::map<char, std::int64_t> size_of;
  for (char letter : a.labels) {
    if (!b.has(letter)) rows += letter;
    else if (needed.find(letter) != std::string::npos) batch += letter;
    else inner += letter;
    size_of[letter] = a.size(letter);
  }
  for (char letter : b.labels) {
    if (!a.has(letter)) columns += letter;
    if (!a.has(letter) || size_of[letter] == 1) size_of[letter] = b.size(letter);
  }
  const Tensor left = as_matrices(a, batch, rows, inner, size_of),
               right = as_matrices(b, batch, inner, columns, size_of);
  const Tensor target = detail::make({left.size(0), left.size(1), right.size(2)}, dtype);
  detail::multiply(left, right, target);
  Sizes sizes;
  const std::string labels = batch + rows + columns;
  for (char letter : labels) sizes.push_back(size_of.at(letter));
  return {target.view(sizes), labels};
}

}  // namespace

Tensor einsum(TextView equation, TensorList operands) {
  detail::require_cpu("einsum", operands);
  if (operands.empty()) throw Error("einsum: at least one operand is needed");
  const Equation parsed = parse(equation.c_str(), operands);
  const DType result_dtype = detail::contraction_dtype("einsum", operands);
  const DType dtype = !is_floating(result_dtype) ? kInt64 : result_dtype == kFloat64 ? kFloat64 : kFloat32;
  std::vector<Labelled> labelled;
  for (std::size_t i = 0; i < operands.size(); ++i)
    labelled.push_back(label(operands[i], parsed.operands[i], operands));
  check_sizes(labelled, operands);

  Labelled result = labelled[0];
  for (std::size_t i = 1; i < labelled.size(); ++i) {
    std::string needed = parsed.output;
    for (std::size_t later = i + 1; later < labelled.size(); ++later) needed += labelled[later].labels;
    result = contract(result, labelled[i], needed, dtype);
  }
  result = sum_out(result, parsed.output, dtype);
  Sizes order;
  for (char letter : parsed.output) order.push_back(static_cast<std::int64_t>(result.labels.find(letter)));
  return detail::permuted(result.tensor, order).to(result_dtype);
}

}  // namespace flashlight
