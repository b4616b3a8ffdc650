// SPDX-License-Identifier: Apache-2.0
// How each op of the golden file is called. Functions and methods alternate, so that both spellings are held
// to it.
#include "golden.h"

namespace flashlight::golden {
namespace {

using In = const std::vector<Tensor>&;
using Args = const std::vector<Argument>&;
using Out = std::vector<Tensor>;

Out all(const TensorList& list) { return list; }
Out all(const Tensors<2>& pair) { return {pair[0], pair[1]}; }

// x += y and the like through a view, x.t()[1:3], so that only part of the shared storage changes.
template <class F>
Out in_place(In in, F&& f) {
  const Tensor x = in[0].clone();
  Tensor view = x.transpose(0, 1).slice(0, 1, 3);
  f(view, in[1]);
  return {x};
}

void add_pointwise(std::map<std::string, Run>& table) {
#define FL_UNARY(name, ...)                                            \
  table[#name] = [](In in, Args) -> Out {                              \
    return {in[0].dim() > 1 ? in[0].name() : flashlight::name(in[0])}; \
  };
#define FL_BINARY(name, ...)                                                                              \
  table[#name] = [](In in, Args) -> Out {                                                                 \
    return {in[0].dim() > 1 ? in[0].name(in[1]) : flashlight::name(in[0], in[1])};                        \
  };                                                                                                      \
  table[#name "_scalar"] = [](In in, Args a) -> Out { return {flashlight::name(in[0], a[0].scalar())}; }; \
  table["scalar_" #name] = [](In in, Args a) -> Out { return {flashlight::name(a[0].scalar(), in[0])}; };
#include <flashlight/detail/pointwise.def>
#undef FL_UNARY
#undef FL_BINARY
  table["bitwise_not"] = [](In in, Args) -> Out { return {~in[0]}; };
  table["neg"] = [](In in, Args) -> Out { return {-in[0]}; };
  table["in_place_add"] = [](In in, Args) {
    return in_place(in, [](Tensor& x, const Tensor& y) { x += y; });
  };
  table["in_place_sub"] = [](In in, Args) {
    return in_place(in, [](Tensor& x, const Tensor& y) { x -= y; });
  };
  table["in_place_mul"] = [](In in, Args) {
    return in_place(in, [](Tensor& x, const Tensor& y) { x *= y; });
  };
  table["in_place_div"] = [](In in, Args) {
    return in_place(in, [](Tensor& x, const Tensor& y) { x /= y; });
  };
  table["nan_to_num"] = [](In in, Args a) -> Out {
    return {in[0].nan_to_num(a[0].number(), a[1].maybe_number(), a[2].maybe_number())};
  };
}

void add_choices(std::map<std::string, Run>& table) {
  table["where"] = [](In in, Args) -> Out { return {where(in[0], in[1], in[2])}; };
  table["where_scalar"] = [](In in, Args a) -> Out { return {where(in[0], in[1], a[0].scalar())}; };
  table["scalar_where"] = [](In in, Args a) -> Out { return {in[0].where(a[0].scalar(), in[1])}; };
  table["where_scalars"] = [](In in, Args a) -> Out { return {where(in[0], a[0].scalar(), a[1].scalar())}; };
  table["masked_fill"] = [](In in, Args a) -> Out { return {in[0].masked_fill(in[1], a[0].scalar())}; };
  table["masked_fill_tensor"] = [](In in, Args) -> Out { return {masked_fill(in[0], in[1], in[2])}; };
  table["clamp"] = [](In in, Args a) -> Out {
    return {in[0].clamp(a[0].maybe_scalar(), a[1].maybe_scalar())};
  };
  table["clamp_min"] = [](In in, Args a) -> Out { return {clamp_min(in[0], a[0].scalar())}; };
  table["clamp_max"] = [](In in, Args a) -> Out { return {in[0].clamp_max(a[0].scalar())}; };
  table["clamp_tensor"] = [](In in, Args) -> Out { return {clamp(in[0], in[1], in[2])}; };
  table["tril"] = [](In in, Args a) -> Out { return {tril(in[0], a[0].integer())}; };
  table["triu"] = [](In in, Args a) -> Out { return {in[0].triu(a[0].integer())}; };
}

void add_reductions(std::map<std::string, Run>& table) {
#define REDUCE(name) \
  table[#name] = [](In in, Args a) -> Out { return {in[0].name(a[0].list(), a[1].flag())}; };
  REDUCE(sum)
  REDUCE(mean)
  REDUCE(prod)
  REDUCE(amax) REDUCE(amin) REDUCE(any) REDUCE(all) REDUCE(logsumexp)
#undef REDUCE
      table["var"] = [](In in, Args a) -> Out { return {var(in[0], a[0].list(), a[1].flag(), a[2].flag())}; };
  table["argmax"] = [](In in, Args a) -> Out { return {argmax(in[0], a[0].maybe_integer(), a[1].flag())}; };
  table["cumsum"] = [](In in, Args a) -> Out { return {cumsum(in[0], a[0].integer())}; };
  table["softmax"] = [](In in, Args a) -> Out {
    return {a.size() > 1 ? softmax(in[0], a[0].integer(), a[1].dtype()) : in[0].softmax(a[0].integer())};
  };
  table["log_softmax"] = [](In in, Args a) -> Out {
    return {a.size() > 1 ? log_softmax(in[0], a[0].integer(), a[1].dtype())
                         : in[0].log_softmax(a[0].integer())};
  };
  table["sort"] = [](In in, Args a) { return all(in[0].sort(a[0].integer(), a[1].flag())); };
  table["topk"] = [](In in, Args a) { return all(topk(in[0], a[0].integer(), a[1].integer(), a[2].flag())); };
}

void add_contractions(std::map<std::string, Run>& table) {
  table["matmul"] = [](In in, Args) -> Out { return {matmul(in[0], in[1])}; };
  table["bmm"] = [](In in, Args) -> Out { return {in[0].bmm(in[1])}; };
  table["linear"] = [](In in, Args) -> Out {
    return {in.size() > 2 ? linear(in[0], in[1], in[2]) : in[0].linear(in[1])};
  };
  table["einsum"] = [](In in, Args a) -> Out { return {einsum(a[0].string(), in)}; };
  table["rms_norm"] = [](In in, Args a) -> Out {
    return {in.size() > 1 ? rms_norm(in[0], in[1], a[0].number()) : in[0].rms_norm({}, a[0].number())};
  };
  table["layer_norm"] = [](In in, Args a) -> Out {
    if (in.size() > 2) return {layer_norm(in[0], in[1], in[2], a[0].number())};
    return {in.size() > 1 ? in[0].layer_norm(in[1], {}, a[0].number())
                          : layer_norm(in[0], {}, {}, a[0].number())};
  };
}

void add_gathers(std::map<std::string, Run>& table) {
  table["index"] = [](In in, Args) -> Out { return {in[0].index(TensorList(in.data() + 1, in.size() - 1))}; };
  table["index_select"] = [](In in, Args a) -> Out { return {index_select(in[0], a[0].integer(), in[1])}; };
  table["gather"] = [](In in, Args a) -> Out { return {in[0].gather(a[0].integer(), in[1])}; };
  table["repeat_interleave"] = [](In in, Args a) -> Out {
    return {repeat_interleave(in[0], a[0].integer(), a[1].maybe_integer())};
  };
  table["cat"] = [](In in, Args a) -> Out { return {cat(in, a[0].integer())}; };
  table["stack"] = [](In in, Args a) -> Out { return {stack(in, a[0].integer())}; };
}

void add_views(std::map<std::string, Run>& table) {
  table["transpose"] = [](In in, Args a) -> Out { return {in[0].transpose(a[0].integer(), a[1].integer())}; };
  table["permute"] = [](In in, Args a) -> Out { return {permute(in[0], a[0].list())}; };
  table["mT"] = [](In in, Args) -> Out { return {in[0].mT()}; };
  table["movedim"] = [](In in, Args a) -> Out { return {in[0].movedim(a[0].list(), a[1].list())}; };
  table["unsqueeze"] = [](In in, Args a) -> Out { return {in[0].unsqueeze(a[0].integer())}; };
  table["squeeze"] = [](In in, Args a) -> Out {
    return {a[0].none() ? squeeze(in[0]) : in[0].squeeze(a[0].integer())};
  };
  table["narrow"] = [](In in, Args a) -> Out {
    return {in[0].narrow(a[0].integer(), a[1].integer(), a[2].integer())};
  };
  table["slice"] = [](In in, Args a) -> Out {
    return {in[0].slice(a[0].integer(), a[1].maybe_integer(), a[2].maybe_integer(), a[3].integer())};
  };
  table["select"] = [](In in, Args a) -> Out { return {select(in[0], a[0].integer(), a[1].integer())}; };
  table["chunk"] = [](In in, Args a) { return all(in[0].chunk(a[0].integer(), a[1].integer())); };
  table["split"] = [](In in, Args a) { return all(in[0].split(a[0].list(), a[1].integer())); };
  table["view"] = [](In in, Args a) -> Out { return {in[0].view(a[0].list())}; };
  table["reshape"] = [](In in, Args a) -> Out { return {in[0].reshape(a[0].list())}; };
  table["flatten"] = [](In in, Args a) -> Out { return {in[0].flatten(a[0].integer(), a[1].integer())}; };
  table["unflatten"] = [](In in, Args a) -> Out { return {in[0].unflatten(a[0].integer(), a[1].list())}; };
  table["expand"] = [](In in, Args a) -> Out { return {in[0].expand(a[0].list())}; };
  table["repeat"] = [](In in, Args a) -> Out { return {in[0].repeat(a[0].list())}; };
  table["contiguous"] = [](In in, Args) -> Out { return {in[0].contiguous()}; };
  table["to"] = [](In in, Args a) -> Out { return {in[0].to(a[0].dtype())}; };
}

void add_creations(std::map<std::string, Run>& table) {
  table["arange"] = [](In, Args a) -> Out {
    if (a.size() > 3) return {arange(a[0].scalar(), a[1].scalar(), a[2].scalar(), a[3].dtype())};
    return {arange(a[0].scalar(), a[1].scalar(), a[2].scalar())};
  };
  table["full"] = [](In, Args a) -> Out { return {full(a[0].list(), a[1].scalar())}; };
  table["eye"] = [](In, Args a) -> Out { return {eye(a[0].integer(), a[1].maybe_integer())}; };
  table["zeros"] = [](In, Args a) -> Out { return {zeros(a[0].list())}; };
  table["ones"] = [](In, Args a) -> Out { return {ones(a[0].list())}; };
}

void add_attention(std::map<std::string, Run>& table) {
  table["sdpa"] = [](In in, Args a) -> Out {
    return {
        scaled_dot_product_attention(in[0], in[1], in[2],
                                     {.mask = in.size() > 3 ? Optional<Tensor>(in[3]) : Optional<Tensor>(),
                                      .is_causal = a[0].flag(),
                                      .scale = a[1].maybe_number(),
                                      .enable_gqa = a[2].flag()})};
  };
  table["flex_alibi_causal"] = [](In in, Args) -> Out {
    const double heads = static_cast<double>(in[0].size(1));
    const auto alibi = [&](const Tensor& s, const Tensor&, const Tensor& h, const Tensor& i,
                           const Tensor& j) { return s + pow(2.0, (h + 1) * (-8.0 / heads)) * (j - i); };
    const auto causal = [](const Tensor&, const Tensor&, const Tensor& i, const Tensor& j) { return j <= i; };
    return {flex_attention(in[0], in[1], in[2], alibi, causal)};
  };
}

}  // namespace

const std::map<std::string, Run>& op_table() {
  static const std::map<std::string, Run> table = [] {
    std::map<std::string, Run> all;
    add_pointwise(all);
    add_choices(all);
    add_reductions(all);
    add_contractions(all);
    add_gathers(all);
    add_views(all);
    add_creations(all);
    add_attention(all);
    return all;
  }();
  return table;
}

}  // namespace flashlight::golden
