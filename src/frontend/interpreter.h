// SPDX-License-Identifier: Apache-2.0
// Follows one function of the user's program, statement by statement, with tensors as graph values. What it
// meets on the way is inlined: helpers, lambdas, small classes. Nothing of the program is executed.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "clang/AST/ASTContext.h"
#include "clang/AST/Expr.h"
#include "clang/AST/ExprCXX.h"
#include "clang/AST/StmtCXX.h"
#include "frontend/paths.h"
#include "frontend/refusal.h"
#include "frontend/text.h"
#include "frontend/value.h"

namespace flashlight::frontend {

inline constexpr const char* kPrintElsewhere = "print before or after the function";

// Caps that keep a hostile or runaway program from running for ever.
struct Limits {
  int call_depth = 64;
  int nesting = 2500;      // expressions and statements inside one another
  long steps = 3'000'000;  // per function, all readings together
  int trip_count = 4096;
};

class Interpreter {
 public:
  // What the readings of one function share.
  struct Reading {
    Paths paths;
    long steps = Limits().steps;          // left for all readings together
    std::set<int> category_asked;         // tensor parameters whose category this path asked for at launch
    clang::SourceLocation last_question;  // the newest branch on a scalar parameter
    std::set<const clang::FunctionDecl*> inlined;  // functions of the user's that were followed
    bool all_parameters = false;                   // declare parameters that the body does not use
  };
  Interpreter(clang::ASTContext& ast, const SourceText& text, graph::Builder& builder, Reading& reading)
      : ast_(ast), text_(text), builder_(builder), reading_(reading) {}

  // Reads the function: declares its parameters, follows the body, returns the outputs. Throws Refusal,
  // PathThrows, graph::LoweringError and graph::NeedFacts; where() then is the innermost place in the user's
  // text.
  std::vector<graph::Output> run(const clang::FunctionDecl*);
  clang::SourceLocation where() const { return where_; }
  // Where the op stands that asked for a rank.
  clang::SourceLocation question() const { return question_; }
  const std::string& result_expression() const { return result_expression_; }

 private:
  enum class Flow { Next, Break, Continue, Return };
  struct Frame {
    const clang::FunctionDecl* function = nullptr;
    std::map<const clang::ValueDecl*, Cell> variables;
    Cell self;    // *this
    Cell result;  // of return
  };
  class Place;  // sets where_ for the time of one construct

  // statements.cpp
  Flow exec(const clang::Stmt*);
  Flow exec_block(const clang::CompoundStmt*, unsigned from = 0);
  Flow exec_if(const clang::IfStmt*);
  Flow exec_for(const clang::ForStmt*);
  Flow exec_while(const clang::Expr* condition, const clang::Stmt* body, bool test_first);
  Flow exec_range_for(const clang::CXXForRangeStmt*);
  Flow exec_switch(const clang::SwitchStmt*);
  void declare(const clang::Decl*);
  void declare_variable(const clang::VarDecl*);
  void bind_structure(const clang::DecompositionDecl*, const Cell&);
  bool loop_goes_on(const clang::Expr* condition, int& trips);
  std::string fixing_size(const graph::Sym& count) const;

  // conditions.cpp
  graph::Sym eval_condition(const clang::Expr*);
  bool decide_sym(const graph::Sym& condition);
  static bool over_scalars_only(const graph::Sym&);
  bool leaves_by_throw(const clang::Stmt*) const;
  void assume(const clang::Expr*, bool holds);
  bool assume_rank(const clang::Expr*, bool holds);

  // expressions.cpp: every expression yields a cell; a glvalue the place itself, a prvalue a fresh one.
  Cell eval(const clang::Expr*);
  Cell eval_node(const clang::Expr*);
  Cell eval_unary(const clang::UnaryOperator*);
  Cell eval_binary(const clang::BinaryOperator*);
  Cell eval_compound_assignment(const clang::CompoundAssignOperator*);
  Cell eval_logical(const clang::BinaryOperator*);
  Cell eval_conditional(const clang::AbstractConditionalOperator*);
  Cell eval_array_copy(const clang::ArrayInitLoopExpr*);
  std::optional<Value> constant_of(const clang::Expr*);
  graph::Sym sym_of(const Cell&);
  graph::Sym eval_sym(const clang::Expr* e) { return sym_of(eval(e)); }
  graph::Sym eval_reached(const graph::Sym& condition, const clang::Expr*);
  std::int64_t index_of(const Cell&);
  void assign(const Cell& to, const Value&);

  // names.cpp
  Cell eval_name(const clang::DeclRefExpr*);
  Cell eval_global(const clang::VarDecl*);
  Cell eval_member(const clang::MemberExpr*);
  Cell eval_subscript(const clang::ArraySubscriptExpr*);
  Cell eval_lambda(const clang::LambdaExpr*);

  // conversions.cpp
  Cell eval_cast(const clang::CastExpr*);
  graph::Sym convert(const graph::Sym&, clang::QualType to);
  Cell convert_to(const Cell&, clang::QualType to);  // element conversions of std types
  std::optional<Value> from_constant(const clang::APValue&, clang::QualType);
  Cell base_of(const Cell& object, const clang::CXXRecordDecl* type, const clang::CXXRecordDecl* base);

  // math.cpp
  graph::Sym arithmetic(clang::BinaryOperatorKind, const graph::Sym&, const graph::Sym&,
                        clang::QualType result);
  graph::Sym rounded(const graph::Sym&, clang::QualType) const;
  bool never_negative(const graph::Sym&) const;
  static bool has_scalar(const graph::Sym&);
  void require(const graph::Sym& condition, const std::string& text);
  graph::Sym fitting(const graph::Sym&, clang::QualType);
  static graph::Sym normal_number(const graph::Sym&);
  graph::Sym truncating_division(const graph::Sym& a, const graph::Sym& b);
  std::optional<graph::Sym> math_call(llvm::StringRef name, const std::vector<graph::Sym>& args,
                                      clang::QualType result);

  // calls.cpp
  Cell eval_call(const clang::CallExpr*);
  Cell eval_operator_call(const clang::CXXOperatorCallExpr*, const clang::FunctionDecl*);
  Cell eval_builtin(const clang::CallExpr*, const clang::FunctionDecl*);
  Cell pointee(const Cell&);
  Cell call(const clang::FunctionDecl*, const Cell& self, const std::vector<Cell>& args);
  Cell call_callable(const Cell& callee, const clang::FunctionDecl* chosen, const std::vector<Cell>& args);
  Cell enter(const clang::FunctionDecl*, Frame, const std::vector<Cell>& args);

  // dsl_calls.cpp
  Cell dsl_call(const clang::FunctionDecl*, const Cell& self, const std::vector<Cell>& args);
  Cell dsl_in_place(const std::string& op, const Cell& self, const std::vector<Cell>& args);
  std::string name_of(const Cell&) const;
  std::optional<Cell> dsl_query(llvm::StringRef name, const Cell& self, const std::vector<Cell>& args);
  Cell apply(std::string_view op, const std::vector<Cell>& args);
  graph::Arg to_arg(const Value&);
  Cell from_arg(const graph::Arg&, const std::shared_ptr<Storage>&);
  Cell compare_dtypes(clang::BinaryOperatorKind, const Cell&, const Cell&);
  Cell dtype_is(const DTypeOf&, std::optional<graph::DType> exactly, graph::Type category);
  bool ask_at_launch(const std::string& question, const std::string& present);

  // construct.cpp
  Cell eval_construct(const clang::CXXConstructExpr*);
  Cell construct_object(const clang::CXXConstructExpr*, const clang::CXXRecordDecl*);
  Cell eval_init_list(const clang::InitListExpr*);
  Cell init_fields(const clang::CXXRecordDecl*, llvm::ArrayRef<clang::Expr*> inits);
  Cell default_value(clang::QualType);

  // library.cpp: std and the DSL's containers, by name
  std::optional<Cell> library_construct(const clang::CXXConstructExpr*, llvm::StringRef type);
  std::optional<Cell> library_method(const clang::CXXMethodDecl*, const Cell& self,
                                     const std::vector<Cell>& args);
  std::optional<Cell> list_method(llvm::StringRef name, const Cell& self, const std::vector<Cell>& args);
  std::optional<Cell> optional_method(llvm::StringRef name, const clang::CXXMethodDecl*, const Cell& self,
                                      const std::vector<Cell>& args);
  std::optional<Cell> library_function(const clang::FunctionDecl*, const std::vector<Cell>& args);
  std::optional<Cell> comparison(clang::OverloadedOperatorKind, const Cell& a, const Cell& b);

  // parameters.cpp
  Cell parameter(const clang::ParmVarDecl*);
  Cell parameter(clang::QualType, const std::string& name, const std::string& access, bool referenced);
  Cell struct_parameter(const clang::CXXRecordDecl*, const std::string& name, const std::string& access,
                        bool inside);
  Cell scalar_parameter(graph::SymType, const std::string& name, const std::string& access);
  std::string where_present(const std::string& access, const std::string& absent) const;
  void results(const Cell&, clang::QualType, const std::string& path, std::vector<graph::Output>&,
               std::string& text);

  [[noreturn]] void refuse(std::string id, std::string text, std::string hint = {}) const;
  [[noreturn]] void refuse_at(clang::SourceLocation, std::string id, std::string text,
                              std::string hint = {}) const;
  std::string spelled(clang::QualType) const;

  clang::ASTContext& ast_;
  const SourceText& text_;
  graph::Builder& builder_;
  Reading& reading_;
  Limits limits_;
  Frame* frame_ = nullptr;
  int depth_ = 0, nesting_ = 0;
  int tensors_ = 0, scalars_ = 0;  // parameters declared so far
  std::vector<const clang::FunctionDecl*> callers_;
  std::map<std::string, graph::Sym> questions_;  // asked at launch, by their C++ text
  // C++ that is true where the optionals around the parameter that is being declared are not empty; empty:
  // there are none.
  std::string present_;
  struct Access {
    std::string text, present;
  };
  std::vector<Access> tensor_access_;  // by tensor parameter
  std::set<int> unsigned_;             // scalar parameters that are never negative
  std::vector<graph::Sym> reached_;    // conditions of the arms that are being evaluated
  bool in_condition_ = false;          // inside the condition of an if, ?: or loop
  clang::SourceLocation where_, question_;
  std::string result_expression_;
};

}  // namespace flashlight::frontend
