// SPDX-License-Identifier: Apache-2.0
// Where a kernel's operands lie: their tiles in shared memory and the matrices that those are copied from.
#include <bit>

#include "emit/kernel_writer.h"

namespace flashlight::emit {

// The parts of a concatenation of tensors along the tile's rows; none where it is something else.
std::vector<KernelWriter::Placement> KernelWriter::parts_of(const kernel::Operand& operand) {
  const graph::Operand& access = operand.factors[0];
  const graph::Node& node = function_.graph[access.node];
  if (node.op != graph::Op::Segment || operand.factors.size() != 1 ||
      !(access.index[node.axis] == Sym::axis(operand.rows)))
    return {};
  std::vector<Placement> parts;
  Sym start(0);
  for (std::size_t s = 0; s < node.operands.size(); ++s) {
    const fusion::Access whole = fusion::compose(node.operands[s], access.index);
    const graph::Node& tensor = function_.graph[whole.node];
    Placement part;
    part.input = tensor.input;
    part.access.node = whole.node;
    for (const Sym& index : whole.index) {
      part.access.index.push_back(graph::substitute(index, [&](const Sym& leaf) -> std::optional<Sym> {
        if (leaf == Sym::axis(operand.rows)) return leaf + start;
        return std::nullopt;
      }));
    }
    const bool plain = tensor.op == graph::Op::Input && tensor.type == graph::Type::Float &&
                       function_.tensors[tensor.input].conversions.empty();
    if (!plain || !is_affine(part.access, operand.rows, operand.cols)) return {};
    part.start = points_.index(start).text;
    part.extent = points_.index(node.segments[s]).text;
    parts.push_back(std::move(part));
    start = start + node.segments[s];
  }
  for (const Placement& part : parts) contracts(part.input);
  return parts;
}

// A plain tensor of which an element's column is found by a stride, and its row in any way: through a table
// of pages, or wherever a division of the position leads to.
bool KernelWriter::scatter(Placement& place, const kernel::Operand& operand) {
  const graph::Operand& access = operand.factors[0];
  const graph::Node& node = function_.graph[access.node];
  const bool gathers = node.op == graph::Op::Gather;
  if (operand.factors.size() != 1 || (!gathers && node.op != graph::Op::Input)) return false;
  const fusion::Access at =
      gathers ? fusion::compose(node.operands[0], access.index) : fusion::Access{access.node, access.index};
  const graph::Node& tensor = function_.graph[at.node];
  if (tensor.op != graph::Op::Input || tensor.type != graph::Type::Float ||
      !function_.tensors[tensor.input].conversions.empty())
    return false;
  std::vector<fusion::Access> positions;
  for (std::size_t k = 1; gathers && k < node.operands.size(); ++k) {
    positions.push_back(fusion::compose(node.operands[k], access.index));
    if (dependence_(positions.back()) & fusion::bit(operand.cols) ||
        dependence_.has_reduction(positions.back().node))
      return false;
  }
  fusion::Index start, steps;
  for (const Sym& index : at.index) {
    const auto by_col = graph::affine_in(index, operand.cols);
    if (!by_col || graph::contains(by_col->first, graph::SymOp::Axis) ||
        graph::contains(by_col->first, graph::SymOp::Datum))
      return false;
    steps.push_back(by_col->first);
    start.push_back(by_col->second);
  }
  std::vector<Code> data(1), strides;
  for (const fusion::Access& position : positions)
    data.push_back(points_.value(position.node, position.index));
  const std::string field = parameters_.tensor(tensor.input);
  for (std::size_t a = 0; a < steps.size(); ++a) {
    if (steps[a].is_integer(0)) continue;
    const Code stride{field + ".stride[" + std::to_string(a - function_.tensors[tensor.input].pack) + "]",
                      kAtom, CType::Long};
    strides.push_back(steps[a].is_integer(1) ? stride
                                             : product({points_.index(steps[a]), stride}, CType::Long));
  }
  contracts(tensor.input);
  place.scattered = tensor.input;
  place.name = fresh_tile(parameters_.tensor_field(tensor.input));
  place.row_start = points_.offset(tensor.input, start, data);
  place.col_stride = strides.empty() ? "0" : sum(strides, CType::Long).text;
  return true;
}

void KernelWriter::contracts(int input) {
  parameters_.tensor(input);
  if (std::find(text_.contracted.begin(), text_.contracted.end(), input) == text_.contracted.end())
    text_.contracted.push_back(input);
}

bool KernelWriter::is_affine(const graph::Operand& access, int rows, int cols) const {
  for (const Sym& index : access.index) {
    const auto by_row = graph::affine_in(index, rows);
    if (!by_row || graph::contains(by_row->first, graph::SymOp::Axis)) return false;
    const auto by_col = graph::affine_in(by_row->second, cols);
    if (!by_col || graph::contains(by_col->first, graph::SymOp::Axis)) return false;
  }
  return true;
}

// q_tile, q_tile2, ...; the loop over the keys has a first_tile.
std::string KernelWriter::fresh_tile(const std::string& of) const {
  const std::string base = of + "_tile";
  for (int n = 1;; ++n) {
    const std::string name = base + (n > 1 ? std::to_string(n) : "");
    if (name != "first_tile" && std::none_of(operands_.begin(), operands_.end(),
                                             [&](const Placement& other) { return other.name == name; }))
      return name;
  }
}

void KernelWriter::place_operands() {
  std::vector<bool> early(program_.operands.size(), false);
  for (const kernel::Contraction& c : program_.contractions) early[c.left] = early[c.right] = true;
  for (std::size_t o = 0; o < program_.operands.size(); ++o) {
    const kernel::Operand& operand = program_.operands[o];
    Placement place;
    place.row = operand.rows == plan_.row;
    place.early = early[o];
    const graph::Operand& access = operand.factors[0];
    const graph::Node& node = function_.graph[access.node];
    place.name = "tile" + std::to_string(o);
    const bool strided = !plan_.packing || !place.row;  // heads among the rows are looked up
    if (strided && operand.factors.size() == 1 && node.op == graph::Op::Input &&
        node.type == graph::Type::Float && is_affine(access, operand.rows, operand.cols)) {
      place.input = node.input;
      place.access = access;
      place.name = fresh_tile(parameters_.tensor_field(node.input));
      place.converts = !function_.tensors[node.input].conversions.empty();
      contracts(node.input);
    }
    if (place.input < 0 && strided) place.parts = parts_of(operand);
    if (const std::string& label = function_.graph.label(access.node); !place.parts.empty())
      place.name = fresh_tile(label.empty() ? "joined" : identifier(label));
    if (place.input < 0 && place.parts.empty() && !scatter(place, operand)) note_filled(operand);
    (place.row ? text_.row_operands : text_.key_operands).push_back(operand.cols);
    operands_.push_back(place);
  }
  // Where every operand is computed, their type is that of the products.
  if (text_.contracted.empty()) text_.contracted = filled_;
  std::sort(text_.contracted.begin(), text_.contracted.end());
}

// The tensor that a filled operand is above all made of: it varies with the most loops.
void KernelWriter::note_filled(const kernel::Operand& operand) {
  int most = -1, input = -1;
  std::set<fusion::Access> seen;
  auto visit = [&](auto&& self, const fusion::Access& access) -> void {
    if (!seen.insert(access).second) return;
    const graph::Node& node = function_.graph[access.node];
    const int loops = std::popcount(dependence_(access));
    if (node.op == graph::Op::Input && node.type == graph::Type::Float && loops > most) {
      most = loops;
      input = node.input;
    }
    fusion::Index iteration = access.index;
    for (std::size_t r = 0; r < node.reduced.size(); ++r) iteration.push_back(Sym(0));
    for (const graph::Operand& below : node.operands) self(self, fusion::compose(below, iteration));
  };
  for (const graph::Operand& factor : operand.factors) visit(visit, {factor.node, factor.index});
  if (input >= 0 && std::find(filled_.begin(), filled_.end(), input) == filled_.end())
    filled_.push_back(input);
}

std::string KernelWriter::tile_type(std::size_t o) const {
  const kernel::Operand& operand = program_.operands[o];
  return std::string("SharedTile<T, ") + (operands_[o].row ? "M" : "N") + ", " + dimension(operand.cols) +
         ">";
}

void KernelWriter::write_operands(Writer& w) {
  std::string offset;
  for (std::size_t o = 0; o < operands_.size(); ++o) {
    const Placement& place = operands_[o];
    w.line("const " + tile_type(o) + " " + place.name + "{smem" + (offset.empty() ? "" : " + " + offset) +
           "};");
    offset += (offset.empty() ? "" : " + ") + place.name + ".bytes";
    write_matrices(o, w);
  }
  for (const KeyVector& v : key_vectors_) {
    w.line("const KeyVec<N> " + v.name + "{smem" + (offset.empty() ? "" : " + " + offset) + "};");
    offset += (offset.empty() ? "" : " + ") + v.name + ".bytes";
  }
  if (split_)
    w.line("[[maybe_unused]] unsigned char* const exchange = smem" + (offset.empty() ? "" : " + " + offset) +
           ";");
}

// What the operand's tiles are copied from.
void KernelWriter::write_matrices(std::size_t o, Writer& w) {
  const Placement& place = operands_[o];
  if (!place.parts.empty()) write_segments(o, w);
  if (place.scattered >= 0)
    w.line("const ScatteredRows<const T> " + matrix_name(o) + " = " + parameters_.tensor(place.scattered) +
           ".template rows<const T>(" + place.col_stride + ", " + loop_extent(program_.operands[o].cols) +
           ");");
  if (place.input < 0) return;
  const auto [field, arguments] = matrix(place, program_.operands[o]);
  w.line("const GlobalMatrix<const T> " + matrix_name(o) + " = " + field + ".template matrix<const T>" +
         arguments + ";");
  if (place.converts)
    w.line("const AnyMatrix " + any_matrix_name(o) + " = " + field + ".any_matrix" + arguments + ";");
}

void KernelWriter::write_segments(std::size_t o, Writer& w) {
  std::vector<std::string> parts, starts;
  for (const Placement& part : operands_[o].parts) {
    const auto [field, arguments] = matrix(part, program_.operands[o]);
    parts.push_back(field + ".template matrix<const T>" + arguments);
    starts.push_back(part.start);
  }
  w.open("const SegmentedMatrix<const T, " + std::to_string(parts.size()) + "> " + matrix_name(o) + " = {{");
  for (const std::string& part : parts) w.line(part + ",");
  w.close("}, {" + join(starts, ", ") + "}};");
}

// q_matrix2 for q_tile2.
std::string KernelWriter::matrix_name(std::size_t o) const {
  const std::string tile = "_tile", &name = operands_[o].name;
  return std::string(name).replace(name.rfind(tile), tile.size(), "_matrix");
}

// The matrix that an operand is of its tensor: each index split into start + row stride + column stride.
KernelWriter::Strides KernelWriter::strides(const Placement& place, const kernel::Operand& operand) {
  const std::string field = parameters_.tensor(place.input);
  const bool pack = function_.tensors[place.input].pack;
  Strides result;
  std::vector<Code> rows, cols;
  for (std::size_t a = 0; a < place.access.index.size(); ++a) {
    const auto by_row = graph::affine_in(place.access.index[a], operand.rows);
    const auto by_col = graph::affine_in(by_row->second, operand.cols);
    result.start.push_back(by_col->second);
    const std::string stride = field + ".stride[" + std::to_string(a - pack) + "]";
    auto add = [&](std::vector<Code>& terms, const Sym& coefficient) {
      if (coefficient.is_integer(0)) return;
      if (coefficient.is_integer(1)) terms.push_back({stride, kAtom, CType::Long});
      else terms.push_back(product({points_.index(coefficient), {stride, kAtom, CType::Long}}, CType::Long));
    };
    add(rows, by_row->first);
    add(cols, by_col->first);
  }
  auto text = [](const std::vector<Code>& terms) {
    return terms.empty() ? std::string("0") : sum(terms, CType::Long).text;
  };
  result.rows = text(rows);
  result.cols = text(cols);
  return result;
}

// The tensor, and the arguments of the matrix.
std::pair<std::string, std::string> KernelWriter::matrix(const Placement& place,
                                                         const kernel::Operand& operand) {
  const Strides of = strides(place, operand);
  const std::string rows = !place.extent.empty()       ? place.extent
                           : operand.rows == plan_.row ? "p.n_row"
                                                       : "p.n_key";
  return {parameters_.tensor(place.input), "(" + points_.offset(place.input, of.start) + ", " + of.rows +
                                               ", " + of.cols + ", " + rows + ", " +
                                               loop_extent(operand.cols) + ")"};
}

}  // namespace flashlight::emit
