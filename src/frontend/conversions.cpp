// SPDX-License-Identifier: Apache-2.0
// Conversions: casts of the program, and constants that Clang has evaluated.
#include "clang/AST/DeclCXX.h"
#include "frontend/place.h"

namespace flashlight::frontend {

using graph::Sym;
using graph::SymOp;
using graph::SymType;
using namespace clang;

namespace {

// The enums of the API, by name; 0: another type.
enum class ApiEnum { None, DType, Device };
ApiEnum api_enum(QualType type) {
  auto* e = type->getAs<EnumType>();
  if (!e || !e->getDecl()->getDeclContext()->isNamespace()) return ApiEnum::None;
  std::string name = e->getDecl()->getQualifiedNameAsString();
  if (name == "flashlight::DType") return ApiEnum::DType;
  return name == "flashlight::Device" ? ApiEnum::Device : ApiEnum::None;
}

}  // namespace

std::optional<Value> Interpreter::from_constant(const APValue& v, QualType type) {
  if (v.isInt()) {
    const llvm::APSInt& i = v.getInt();
    if (i.isUnsigned() ? i.getActiveBits() > 63 : i.getSignificantBits() > 64) return std::nullopt;
    std::int64_t n = i.isUnsigned() ? static_cast<std::int64_t>(i.getZExtValue()) : i.getSExtValue();
    if (type->isBooleanType()) return Sym::boolean(n != 0);
    switch (api_enum(type)) {
      case ApiEnum::DType: return static_cast<graph::DType>(n);
      case ApiEnum::Device: return DeviceValue{n != 0};
      case ApiEnum::None: return Sym(static_cast<long>(n));
    }
  }
  if (v.isFloat()) {
    llvm::APFloat f = v.getFloat();
    bool lost = false;
    f.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &lost);
    return Sym(f.convertToDouble());
  }
  return std::nullopt;
}

// A number as `to` holds it. Symbolic integers are taken to fit, see fitting().
Sym Interpreter::convert(const Sym& s, QualType to) {
  to = to.getNonReferenceType().getCanonicalType();
  if (to->isBooleanType()) {
    if (s.type() == SymType::Boolean) return s;
    if (s.is_constant()) return Sym::boolean(s.real() != 0);
    return graph::make_sym(SymOp::Ne, {s, Sym(0)});
  }
  if (to->isFloatingType()) {
    if (s.is_constant()) return rounded(Sym(s.real()), to);
    const Sym real = s.type() == SymType::Real ? s : graph::make_sym(SymOp::ToReal, {s});
    const bool rounds =
        ast_.getTypeSize(to) == 32 && !(real.op() == SymOp::Call && real.callee() == "float32");
    return rounds ? graph::make_sym(SymOp::Call, {real}, "float32") : real;
  }
  if (!to->isIntegralOrEnumerationType()) return s;
  if (s.type() == SymType::Real && s.is_constant()) {
    if (!(s.real() > -9.3e18 && s.real() < 9.3e18))
      refuse("unsupported-expression", "this number has no integer value");
    return rounded(Sym(static_cast<long>(s.real())), to);
  }
  if (s.type() == SymType::Real) return graph::make_sym(SymOp::ToInteger, {s});
  if (s.type() == SymType::Boolean) {
    if (s.is_constant()) return Sym(static_cast<long>(s.integer()));
    return graph::make_sym(SymOp::Select, {s, Sym(1), Sym(0)});
  }
  return rounded(s, to);
}

// Converts values to the element types of pairs, optionals and lists, whose constructors are not followed.
Cell Interpreter::convert_to(const Cell& c, QualType to) {
  QualType plain = to.getNonReferenceType();
  if (auto* s = std::get_if<Sym>(&c->value); s && plain->isArithmeticType() && !to->isReferenceType())
    return make_cell(convert(*s, plain));
  return c;
}

Cell Interpreter::base_of(const Cell& object, const CXXRecordDecl* type, const CXXRecordDecl* base) {
  auto* fields = std::get_if<Fields>(&object->value);
  if (!fields) return object;
  std::size_t i = 0;
  for (const CXXBaseSpecifier& b : type->bases()) {
    if (b.getType()->getAsCXXRecordDecl()->getCanonicalDecl() == base->getCanonicalDecl() &&
        i < fields->cells.size() && fields->cells[i])
      return fields->cells[i];
    ++i;
  }
  refuse("unsupported-type", "the base `" + base->getNameAsString() + "` is not followed");
}

Cell Interpreter::eval_cast(const CastExpr* e) {
  const Expr* sub = e->getSubExpr();
  switch (e->getCastKind()) {
    case CK_LValueToRValue: {
      Cell c = eval(sub);
      if (std::holds_alternative<std::monostate>(c->value) && !e->getType()->isPointerType() &&
          !e->getType()->isNullPtrType())
        refuse("unsupported-expression", "a variable is read before it has a value");
      return copy_cell(c);
    }
    case CK_NoOp:
    case CK_ConstructorConversion:
    case CK_UserDefinedConversion:
    case CK_FunctionToPointerDecay:
    case CK_BuiltinFnToFnPtr:
    case CK_BitCast: return eval(sub);
    case CK_IntegralCast: {
      Cell c = eval(sub);
      if (auto* d = std::get_if<graph::DType>(&c->value)) return make_cell(Sym(static_cast<int>(*d)));
      if (!std::holds_alternative<Sym>(c->value))
        refuse("unsupported-expression", "a conversion of " + std::string(kind_of(c->value)));
      if (auto constant = e->getType()->isEnumeralType() ? constant_of(e) : std::nullopt)
        return make_cell(*constant);
      const QualType from = sub->getType(), to = e->getType();
      const unsigned bits = ast_.getIntWidth(to), given = ast_.getIntWidth(from);
      const bool is_unsigned = to->isUnsignedIntegerOrEnumerationType();
      const bool fits = from->isUnsignedIntegerOrEnumerationType()
                            ? given < bits || (is_unsigned && given == bits)
                            : !is_unsigned && given <= bits;
      const Sym value = convert(sym_of(c), to);
      return make_cell(fits || from->isBooleanType() ? value : fitting(value, to));
    }
    case CK_IntegralToFloating:
    case CK_FloatingCast:
    case CK_FloatingToIntegral:
    case CK_IntegralToBoolean:
    case CK_FloatingToBoolean:
    case CK_BooleanToSignedIntegral: return make_cell(convert(eval_sym(sub), e->getType()));
    case CK_PointerToBoolean: {
      Cell c = eval(sub);
      return make_bool(!std::holds_alternative<std::monostate>(c->value));
    }
    case CK_NullToPointer: return make_cell({});
    case CK_ToVoid: eval(sub); return make_cell({});
    case CK_ArrayToPointerDecay: {
      Cell c = eval(sub);
      auto* fields = std::get_if<Fields>(&c->value);
      return fields ? make_cell(Pointer{fields->cells, 0}) : c;
    }
    case CK_DerivedToBase:
    case CK_UncheckedDerivedToBase: {
      Cell c = eval(sub);
      auto* pointer = std::get_if<Pointer>(&c->value);
      Cell object = pointer ? pointer->cells.at(pointer->at) : c;
      QualType from = pointer ? sub->getType()->getPointeeType() : sub->getType();
      auto* type = from->getAsCXXRecordDecl();
      for (const CXXBaseSpecifier* step : e->path()) {
        auto* base = step->getType()->getAsCXXRecordDecl();
        object = base_of(object, type, base);
        type = base;
      }
      return pointer ? make_cell(Pointer{{object}, 0}) : object;
    }
    default:
      refuse("unsupported-expression",
             std::string("a conversion of this kind is not followed (") + e->getCastKindName() + ")");
  }
}

}  // namespace flashlight::frontend
