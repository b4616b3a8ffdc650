// SPDX-License-Identifier: Apache-2.0
// See unit.h.
#include "emit/unit.h"

#include <algorithm>
#include <sstream>
#include <set>
#include <cctype>
#include <memory>

#include "emit/facts.h"
#include "emit/group_text.h"
#include "emit/launcher.h"
#include "emit/numerics.h"
#include "fusion/describe.h"
#include "fusion/roles.h"
#include "kernel/pack.h"
#include "kernel/verify.h"

namespace flashlight::emit {

namespace {

// Everything the kernels of one function need to stay alive while they are written.
struct Lowered {
  FusedFunction* function = nullptr;
  std::string name;  // causal_attention_1
  std::vector<std::unique_ptr<kernel::Program>> programs;
  std::vector<std::unique_ptr<fusion::KernelPlan>> plans;  // that programs have of their own
  std::vector<std::unique_ptr<Parameters>> parameters;
  std::vector<VariantText> variants;
};

// causal_attention_1, with v2 for the second of several variants and b for the second of several kernels.
std::string kernel_name(const FusedFunction& function, const std::string& name, std::size_t variant,
                        std::size_t part) {
  std::string result = name;
  if (function.plans.size() > 1) result += "v" + std::to_string(variant + 1);
  if (function.plans[variant].steps.size() > 1) result += static_cast<char>('a' + part);
  return result;
}

// Both kernels get the same parameters, though the second may have met more of them.
void add_hopper(PartText& text, const std::string& name, Parameters& parameters) {
  const std::size_t known = parameters.scalars().size();
  auto hopper = std::make_shared<const KernelText>(write_hopper_kernel(*text.program, name, parameters));
  if (parameters.scalars().size() > known)
    text.kernel = write_kernel(*text.program, name, parameters, text.kernel.split);
  text.kernel.hopper = std::move(hopper);
}

bool covers(const std::vector<Instance>& few, const std::vector<Instance>& all) {
  return std::all_of(all.begin(), all.end(), [&](const Instance& instance) {
    return std::any_of(few.begin(), few.end(), [&](const Instance& other) {
      return other.type == instance.type &&
             std::all_of(instance.padded.begin(), instance.padded.end(),
                         [&](const auto& at) { return other.padded.at(at.first) >= at.second; });
    });
  });
}

constexpr int kMostFewRows = 64;  // of what the launcher takes for few: see Launch::runs_of

// As many queries as keys are never few; nor is a number of them that the program states.
bool may_have_few_rows(const fusion::KernelPlan& plan) {
  const graph::Sym &rows = plan.loops[plan.row].size, &keys = plan.loops[plan.stream].size;
  const auto stated = rows.as_integer();
  return !(rows == keys) && (!stated || *stated <= kMostFewRows);
}

// The program with the heads that share keys in one tile; null where none do.
kernel::Program* packed_program(const PartText& part, Lowered& all) {
  const int reserved = static_cast<int>(part.program->temporaries.size());
  auto plan = kernel::pack_heads(*part.program->function, *part.program->plan, reserved);
  if (!plan) return nullptr;
  all.plans.push_back(std::make_unique<fusion::KernelPlan>(std::move(*plan)));
  try {
    all.programs.push_back(
        std::make_unique<kernel::Program>(kernel::build_program(*part.program->function, *all.plans.back())));
  } catch (const fusion::Refused&) { return nullptr; }
  kernel::verify(*all.programs.back());
  return all.programs.back().get();
}

// A second kernel for few queries: heads that share keys in one tile, keys in several runs. Null where
// nothing is to be gained, or no tile shape holds it.
std::shared_ptr<const PartText> few_of(const PartText& part, const std::string& name, Lowered& all,
                                       const EmitOptions& options) {
  if (!may_have_few_rows(*part.program->plan)) return nullptr;
  auto few = std::make_shared<PartText>();
  few->part = part.part;
  kernel::Program* program = packed_program(part, all);
  if (!program) {
    all.programs.push_back(std::make_unique<kernel::Program>(*part.program));
    program = all.programs.back().get();
  }
  for (kernel::Sweep& sweep : program->sweeps)
    sweep.bet.reset();  // of a run alone it would be lost too often
  few->program = program;
  if (!few->program->plan->packing && !few->program->combine) return nullptr;
  all.parameters.push_back(std::make_unique<Parameters>(*few->program->function, *few->program->plan));
  few->parameters = all.parameters.back().get();
  few->kernel = write_few_kernel(*few->program, name, *all.parameters.back());
  if (few->program->combine) {
    few->combine =
        std::make_shared<const KernelText>(write_combine_kernel(*few->program, name, *all.parameters.back()));
    few->kernel = write_few_kernel(*few->program, name,
                                   *all.parameters.back());  // the combination may have met more parameters
  }
  try {
    if (!covers(instances_of(*few, options), instances_of(part, options))) return nullptr;
  } catch (const fusion::Refused&) { return nullptr; }
  return few;
}

void lower_kernel(PartText& text, const std::string& called, Lowered& into, const EmitOptions& options) {
  into.programs.push_back(
      std::make_unique<kernel::Program>(kernel::build_program(*text.part->function, text.part->plan)));
  text.program = into.programs.back().get();
  kernel::verify(*text.program);
  Parameters& parameters = *into.parameters.back();
  text.kernel = write_kernel(*text.program, called, parameters);
  const std::vector<Instance> instances = instances_of(text, options);
  if (std::any_of(instances.begin(), instances.end(), [](const Instance& i) { return i.shape.parts > 1; }))
    text.kernel = write_kernel(*text.program, called, parameters, true);
  if (std::find(options.archs.begin(), options.archs.end(), "sm_90a") != options.archs.end())
    add_hopper(text, called, parameters);
  text.few = few_of(text, called, into, options);
}

Lowered lower(FusedFunction& function, const std::string& name, const EmitOptions& options) {
  Lowered result;
  result.function = &function;
  result.name = name;
  for (std::size_t v = 0; v < function.plans.size(); ++v) {
    VariantText variant;
    variant.variant = &function.source->variants[v];
    const std::vector<fusion::Step>& parts = function.plans[v].steps;
    for (std::size_t k = 0; k < parts.size(); ++k) {
      PartText text;
      text.part = &parts[k];
      result.parameters.push_back(std::make_unique<Parameters>(*parts[k].function, parts[k].plan));
      text.parameters = result.parameters.back().get();
      const std::string called = kernel_name(function, name, v, k);
      if (parts[k].kind == fusion::StepKind::Kernel) lower_kernel(text, called, result, options);
      if (parts[k].kind == fusion::StepKind::Group)
        text.kernel = write_group(parts[k], called, *result.parameters.back());
      variant.parts.push_back(std::move(text));
    }
    result.variants.push_back(std::move(variant));
  }
  return result;
}

std::string replace_results(std::string expression) {
  std::string text;
  for (std::size_t k = 0; k < expression.size(); ++k) {
    if (expression[k] != '$') {
      text += expression[k];
      continue;
    }
    std::string number;
    while (k + 1 < expression.size() && std::isdigit(static_cast<unsigned char>(expression[k + 1])))
      number += expression[++k];
    text += "(*fused)[" + number + "]";
  }
  return text;
}

// What goes behind the `{` of a fused function's body.
std::string early_return(const Lowered& f) {
  std::vector<std::string> args;
  const Signature signature = signature_of(f.variants);
  for (const graph::TensorParam& t : signature.tensors) args.push_back(t.access);
  for (const graph::ScalarParam& s : signature.scalars) args.push_back(s.access);
  // Instantiations of a template share the body.
  const std::string& tag = f.function->source->template_tag;
  return (tag.empty() ? "" : " if constexpr (" + tag + ")") +
         " if (auto fused = ::flashlight::generated::" + f.name + "(" + join(args, ", ") + ")) return " +
         replace_results(f.function->source->result_expression) + ";";
}

// operator() has no name that a kernel could bear.
std::string emitted_name(const frontend::FunctionSource& source) {
  std::string name = identifier(source.name);
  while (name.size() > 1 && name.back() == '_' && name != source.name) name.pop_back();
  return name;
}

// With which scalars calls take the variant, in the program's terms; empty: all do.
std::string condition_of(const frontend::Variant& variant) {
  constexpr std::size_t kLongest = 240;
  return variant.condition
             ? fusion::readable(fusion::describe(variant.function, *variant.condition), kLongest)
             : "";
}

std::string base_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

std::string stem(const std::string& path) {
  const std::string base = base_name(path);
  return base.substr(0, base.find_last_of('.'));
}

// Symbols are the qualified names with _ for ::, overloads numbered.
void name_c_entries(std::vector<Lowered>& functions) {
  std::map<std::string, int> uses;
  for (Lowered& f : functions) {
    std::string symbol = f.function->source->qualified_name;
    for (std::size_t at = symbol.find("::"); at != std::string::npos; at = symbol.find("::"))
      symbol.replace(at, 2, "_");
    CEntry& entry = f.function->c_entry;
    entry.symbol = "flashlight_" + identifier(symbol);
    if (const int use = ++uses[entry.symbol]; use > 1) entry.symbol += "_" + std::to_string(use);
    const Signature signature = signature_of(f.variants);
    for (const graph::TensorParam& t : signature.tensors) entry.tensors.push_back(t.name);
    for (const graph::ScalarParam& p : signature.scalars) entry.scalars.push_back(p.name);
    entry.results = static_cast<int>(f.variants[0].variant->function.outputs.size());
  }
}

bool uses_hopper(const PartText& v, const EmitOptions& options) {
  if (!v.kernel.hopper) return false;
  const std::vector<Instance> instances = instances_of(v, options);
  return std::any_of(instances.begin(), instances.end(),
                     [](const Instance& i) { return i.wgmma.shape.has_value(); });
}

void write_function(const Lowered& f, const frontend::Program& program, const EmitOptions& options,
                    Writer& w) {
  w.line();
  w.line("// ---- " + f.function->source->qualified_name + ", " + base_name(program.path) + ":" +
         std::to_string(f.function->source->location.line));
  const auto lines = [&](const std::string& text) {
    std::size_t start = 0;
    while (start < text.size()) {
      const std::size_t end = text.find('\n', start);
      w.line(text.substr(start, end - start));
      start = end + 1;
    }
  };
  for (const VariantText& v : f.variants) {
    const std::string condition = condition_of(*v.variant);
    for (const PartText& part : v.parts) {
      if (part.kernel.body.empty()) continue;  // a library's
      w.line();
      if (!condition.empty()) w.line("// Of calls with " + condition + ":");
      for (const std::string& line : part.is_kernel() ? formula_comment(*part.program) : value_comment(part))
        w.line("// " + line);
      lines(part.kernel.declaration);
      w.line();
      lines(part.kernel.body);
      if (part.few) {
        w.line();
        lines(part.few->kernel.declaration);
        w.line();
        lines(part.few->kernel.body);
        if (part.few->combine) w.line(), lines(part.few->combine->body);
      }
      if (!uses_hopper(part, options)) continue;
      w.line();
      lines(part.kernel.hopper->declaration);
      w.line();
      lines(part.kernel.hopper->body);
    }
  }
  w.line();
  write_launcher(f.name, f.function->source->qualified_name, f.variants, options, w);
}

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// The names that the text itself defines as macros.
std::set<std::string> macros_of(const std::string& text) {
  std::set<std::string> names;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto skip = [&](std::size_t at) {
      return std::min(line.find_first_not_of(" \t", at), line.size());
    };
    const std::size_t hash = skip(0), word = skip(hash + 1);
    if (hash == line.size() || line[hash] != '#' || line.compare(word, 6, "define") != 0) continue;
    const std::size_t from = skip(word + 6);
    std::size_t to = from;
    while (to < line.size() && is_word(line[to])) ++to;
    names.insert(line.substr(from, to - from));
  }
  names.erase("");
  return names;
}

bool mentions(const std::string& text, const std::string& name) {
  for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
    const std::size_t end = at + name.size();
    if ((at == 0 || !is_word(text[at - 1])) && (end == text.size() || !is_word(text[end]))) return true;
  }
  return false;
}

// Headers that the user's text includes come in front of it, so that its lines keep their numbers.
void inline_headers(const ReadHeader& read, std::string& head, std::string& body, std::string& tail) {
  Inliner inliner(read);
  std::vector<std::string> names;
  body = Inliner::without_includes(body, names);
  std::string includes;
  for (const std::string& name : names) includes += "#include <" + name + ">\n";
  head.insert(head.find("#include"), includes);
  head = inliner.inlined(head);
  tail = inliner.inlined(tail);
}

}  // namespace

std::string render_unit(const frontend::Program& program, std::vector<FusedFunction>& functions,
                        const EmitOptions& options) {
  std::vector<Lowered> lowered;
  for (FusedFunction& function : functions) {
    if (function.status == fusion::Status::Unfused || !function.source->in_main_file) continue;
    try {
      lowered.push_back(lower(
          function, emitted_name(*function.source) + "_" + std::to_string(lowered.size() + 1), options));
      function.totals = totals_of(lowered.back().variants[0]);
      for (const VariantText& v : lowered.back().variants)
        for (const PartText& part : v.parts) {
          const std::size_t known = function.kernels.size();
          function.kernels.push_back(facts_of(part, options));
          if (auto hopper = hopper_facts_of(part, options)) function.kernels.push_back(std::move(*hopper));
          for (KernelFacts& few : few_facts_of(part, options)) function.kernels.push_back(std::move(few));
          for (std::size_t k = known; k < function.kernels.size(); ++k)
            function.kernels[k].variant = condition_of(*v.variant);
          for (const std::string& remark : numerics_of(part, options))
            if (std::find(function.numerics.begin(), function.numerics.end(), remark) ==
                function.numerics.end())
              function.numerics.push_back(remark);
        }
    } catch (const fusion::Refused& refused) {
      function.status = fusion::Status::Unfused;
      function.reason = refused.reason;
      function.kernels.clear();
      function.numerics.clear();
    }
  }
  if (lowered.empty()) return program.text;

  std::string head = "// Written by flashlight-translate from " + base_name(program.path) +
                     ": the same program, with " + std::to_string(lowered.size()) +
                     (lowered.size() == 1 ? " function" : " functions") + " fused for CUDA tensors.\n";
  // Without names of their own, kernels of two files cannot be taken for each other when they are linked.
  const bool tagged = std::any_of(lowered.begin(), lowered.end(),
                                  [](const Lowered& f) { return !f.function->source->template_tag.empty(); });
  const bool hopper = std::any_of(lowered.begin(), lowered.end(), [&](const Lowered& f) {
    return std::any_of(f.variants.begin(), f.variants.end(), [&](const VariantText& v) {
      return std::any_of(v.parts.begin(), v.parts.end(),
                         [&](const PartText& part) { return uses_hopper(part, options); });
    });
  });
  const auto any_part = [&](auto is) {
    return std::any_of(lowered.begin(), lowered.end(), [&](const Lowered& f) {
      return std::any_of(f.variants.begin(), f.variants.end(), [&](const VariantText& v) {
        return std::any_of(v.parts.begin(), v.parts.end(), is);
      });
    });
  };
  const bool products =
      any_part([](const PartText& part) { return part.part->kind == fusion::StepKind::Product; });
  const bool orders =
      any_part([](const PartText& part) { return part.part->kind == fusion::StepKind::Order; });
  const bool sums = any_part([](const PartText& part) { return part.part->kind == fusion::StepKind::Scan; });
  const bool runs = any_part([](const PartText& part) { return part.few && part.few->combine; });
  // The device's headers too come before the program's text, whose macros may be called D or T.
  head += std::string("#include <flashlight/flashlight.h>\n") +
          (hopper ? "#include <flashlight/device/hopper.h>\n" : "#include <flashlight/device/device.h>\n") +
          "#include <flashlight/generated/c_entry.h>\n#include <flashlight/generated/launch.h>\n" +
          (products ? "#include <flashlight/generated/multiply.h>\n" : "") +
          (runs ? "#include <flashlight/generated/runs.h>\n" : "") +
          (sums ? "#include <flashlight/generated/running_sum.h>\n" : "") +
          (orders ? "#include <flashlight/generated/sort.h>\n" : "") +
          (hopper ? "#include <flashlight/generated/tile_source.h>\n#include <flashlight/generated/works.h>\n"
                  : "") +
          "\n#include <cmath>\n" + (tagged ? "#include <type_traits>\n" : "") +
          "\nnamespace flashlight::generated {\nnamespace {\n";
  for (const Lowered& f : lowered) head += launcher_signature(signature_of(f.variants), f.name) + ";\n";
  head += "}  // namespace\n}  // namespace flashlight::generated\n\n#line 1 \"" + base_name(program.path) +
          "\"\n";

  std::vector<const Lowered*> by_offset;
  for (const Lowered& f : lowered) by_offset.push_back(&f);
  std::stable_sort(by_offset.begin(), by_offset.end(), [](auto* a, auto* b) {
    return a->function->source->body_offset > b->function->source->body_offset;
  });
  std::string body = program.text;
  for (const Lowered* f : by_offset) body.insert(f->function->source->body_offset, early_return(*f));
  if (!body.empty() && body.back() != '\n') body += '\n';

  Writer w;
  w.line("namespace flashlight::generated {");
  w.line("namespace {");
  w.line();
  w.line("using namespace flashlight::device;");
  w.line("static_assert(kPrimitivesVersion == 1, \"translate again: the device headers have changed\");");
  for (const Lowered& f : lowered) write_function(f, program, options, w);
  w.line();
  w.line("}  // namespace");
  name_c_entries(lowered);
  w.line();
  w.line(
      "// ---- C entries: tensors and scalars in the order of the parameters. They return 0, or an error "
      "code whose text is");
  w.line(
      "// flashlight_last_error(). `workspace` may be NULL: what is needed is then allocated, and keys are");
  w.line("// not split over CTAs. `_workspace_size` returns (size_t)-1 after an error.");
  for (const Lowered& f : lowered)
    write_c_entry(f.name, f.function->source->qualified_name, f.function->c_entry, f.variants, w);
  w.line();
  w.line("}  // namespace flashlight::generated");

  std::string tail = w.str();
  std::string hidden;  // nothing of the program follows
  for (const std::string& name : macros_of(program.text))
    if (mentions(tail, name)) hidden += "#undef " + name + "\n";
  if (!hidden.empty()) tail = hidden + "\n" + tail;
  if (options.standalone) inline_headers(options.read_header, head, body, tail);
  const std::string text = head + body;
  const auto line = std::count(text.begin(), text.end(), '\n') + 2;
  return text + "#line " + std::to_string(line) + " \"" + stem(program.path) + ".cu\"\n" + tail;
}

}  // namespace flashlight::emit
