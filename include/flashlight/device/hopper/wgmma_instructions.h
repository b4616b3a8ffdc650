// SPDX-License-Identifier: Apache-2.0
// wgmma.mma_async.m64nNk16 in PTX, N = 8 .. 256. Written by scripts/make-wgmma; change that instead.
#pragma once

#include "flashlight/device/numeric.h"

// clang-format off

// The accumulator's registers: their names in the instruction's text, and the values that they stand for.
#define FL_WGMMA_NAMES_8 "%0, %1, %2, %3"
#define FL_WGMMA_VALUES_8 "+f"(d[0][0]), "+f"(d[0][1]), "+f"(d[0][2]), "+f"(d[0][3])
#define FL_WGMMA_NAMES_16 FL_WGMMA_NAMES_8 ", %4, %5, %6, %7"
#define FL_WGMMA_VALUES_16 FL_WGMMA_VALUES_8, "+f"(d[1][0]), "+f"(d[1][1]), "+f"(d[1][2]), "+f"(d[1][3])
#define FL_WGMMA_NAMES_24 FL_WGMMA_NAMES_16 ", %8, %9, %10, %11"
#define FL_WGMMA_VALUES_24 FL_WGMMA_VALUES_16, "+f"(d[2][0]), "+f"(d[2][1]), "+f"(d[2][2]), "+f"(d[2][3])
#define FL_WGMMA_NAMES_32 FL_WGMMA_NAMES_24 ", %12, %13, %14, %15"
#define FL_WGMMA_VALUES_32 FL_WGMMA_VALUES_24, "+f"(d[3][0]), "+f"(d[3][1]), "+f"(d[3][2]), "+f"(d[3][3])
#define FL_WGMMA_NAMES_40 FL_WGMMA_NAMES_32 ", %16, %17, %18, %19"
#define FL_WGMMA_VALUES_40 FL_WGMMA_VALUES_32, "+f"(d[4][0]), "+f"(d[4][1]), "+f"(d[4][2]), "+f"(d[4][3])
#define FL_WGMMA_NAMES_48 FL_WGMMA_NAMES_40 ", %20, %21, %22, %23"
#define FL_WGMMA_VALUES_48 FL_WGMMA_VALUES_40, "+f"(d[5][0]), "+f"(d[5][1]), "+f"(d[5][2]), "+f"(d[5][3])
#define FL_WGMMA_NAMES_56 FL_WGMMA_NAMES_48 ", %24, %25, %26, %27"
#define FL_WGMMA_VALUES_56 FL_WGMMA_VALUES_48, "+f"(d[6][0]), "+f"(d[6][1]), "+f"(d[6][2]), "+f"(d[6][3])
#define FL_WGMMA_NAMES_64 FL_WGMMA_NAMES_56 ", %28, %29, %30, %31"
#define FL_WGMMA_VALUES_64 FL_WGMMA_VALUES_56, "+f"(d[7][0]), "+f"(d[7][1]), "+f"(d[7][2]), "+f"(d[7][3])
#define FL_WGMMA_NAMES_72 FL_WGMMA_NAMES_64 ", %32, %33, %34, %35"
#define FL_WGMMA_VALUES_72 FL_WGMMA_VALUES_64, "+f"(d[8][0]), "+f"(d[8][1]), "+f"(d[8][2]), "+f"(d[8][3])
#define FL_WGMMA_NAMES_80 FL_WGMMA_NAMES_72 ", %36, %37, %38, %39"
#define FL_WGMMA_VALUES_80 FL_WGMMA_VALUES_72, "+f"(d[9][0]), "+f"(d[9][1]), "+f"(d[9][2]), "+f"(d[9][3])
#define FL_WGMMA_NAMES_88 FL_WGMMA_NAMES_80 ", %40, %41, %42, %43"
#define FL_WGMMA_VALUES_88 FL_WGMMA_VALUES_80, "+f"(d[10][0]), "+f"(d[10][1]), "+f"(d[10][2]), "+f"(d[10][3])
#define FL_WGMMA_NAMES_96 FL_WGMMA_NAMES_88 ", %44, %45, %46, %47"
#define FL_WGMMA_VALUES_96 FL_WGMMA_VALUES_88, "+f"(d[11][0]), "+f"(d[11][1]), "+f"(d[11][2]), "+f"(d[11][3])
#define FL_WGMMA_NAMES_104 FL_WGMMA_NAMES_96 ", %48, %49, %50, %51"
#define FL_WGMMA_VALUES_104 FL_WGMMA_VALUES_96, "+f"(d[12][0]), "+f"(d[12][1]), "+f"(d[12][2]), "+f"(d[12][3])
#define FL_WGMMA_NAMES_112 FL_WGMMA_NAMES_104 ", %52, %53, %54, %55"
#define FL_WGMMA_VALUES_112 FL_WGMMA_VALUES_104, "+f"(d[13][0]), "+f"(d[13][1]), "+f"(d[13][2]), "+f"(d[13][3])
#define FL_WGMMA_NAMES_120 FL_WGMMA_NAMES_112 ", %56, %57, %58, %59"
#define FL_WGMMA_VALUES_120 FL_WGMMA_VALUES_112, "+f"(d[14][0]), "+f"(d[14][1]), "+f"(d[14][2]), "+f"(d[14][3])
#define FL_WGMMA_NAMES_128 FL_WGMMA_NAMES_120 ", %60, %61, %62, %63"
#define FL_WGMMA_VALUES_128 FL_WGMMA_VALUES_120, "+f"(d[15][0]), "+f"(d[15][1]), "+f"(d[15][2]), "+f"(d[15][3])
#define FL_WGMMA_NAMES_136 FL_WGMMA_NAMES_128 ", %64, %65, %66, %67"
#define FL_WGMMA_VALUES_136 FL_WGMMA_VALUES_128, "+f"(d[16][0]), "+f"(d[16][1]), "+f"(d[16][2]), "+f"(d[16][3])
#define FL_WGMMA_NAMES_144 FL_WGMMA_NAMES_136 ", %68, %69, %70, %71"
#define FL_WGMMA_VALUES_144 FL_WGMMA_VALUES_136, "+f"(d[17][0]), "+f"(d[17][1]), "+f"(d[17][2]), "+f"(d[17][3])
#define FL_WGMMA_NAMES_152 FL_WGMMA_NAMES_144 ", %72, %73, %74, %75"
#define FL_WGMMA_VALUES_152 FL_WGMMA_VALUES_144, "+f"(d[18][0]), "+f"(d[18][1]), "+f"(d[18][2]), "+f"(d[18][3])
#define FL_WGMMA_NAMES_160 FL_WGMMA_NAMES_152 ", %76, %77, %78, %79"
#define FL_WGMMA_VALUES_160 FL_WGMMA_VALUES_152, "+f"(d[19][0]), "+f"(d[19][1]), "+f"(d[19][2]), "+f"(d[19][3])
#define FL_WGMMA_NAMES_168 FL_WGMMA_NAMES_160 ", %80, %81, %82, %83"
#define FL_WGMMA_VALUES_168 FL_WGMMA_VALUES_160, "+f"(d[20][0]), "+f"(d[20][1]), "+f"(d[20][2]), "+f"(d[20][3])
#define FL_WGMMA_NAMES_176 FL_WGMMA_NAMES_168 ", %84, %85, %86, %87"
#define FL_WGMMA_VALUES_176 FL_WGMMA_VALUES_168, "+f"(d[21][0]), "+f"(d[21][1]), "+f"(d[21][2]), "+f"(d[21][3])
#define FL_WGMMA_NAMES_184 FL_WGMMA_NAMES_176 ", %88, %89, %90, %91"
#define FL_WGMMA_VALUES_184 FL_WGMMA_VALUES_176, "+f"(d[22][0]), "+f"(d[22][1]), "+f"(d[22][2]), "+f"(d[22][3])
#define FL_WGMMA_NAMES_192 FL_WGMMA_NAMES_184 ", %92, %93, %94, %95"
#define FL_WGMMA_VALUES_192 FL_WGMMA_VALUES_184, "+f"(d[23][0]), "+f"(d[23][1]), "+f"(d[23][2]), "+f"(d[23][3])
#define FL_WGMMA_NAMES_200 FL_WGMMA_NAMES_192 ", %96, %97, %98, %99"
#define FL_WGMMA_VALUES_200 FL_WGMMA_VALUES_192, "+f"(d[24][0]), "+f"(d[24][1]), "+f"(d[24][2]), "+f"(d[24][3])
#define FL_WGMMA_NAMES_208 FL_WGMMA_NAMES_200 ", %100, %101, %102, %103"
#define FL_WGMMA_VALUES_208 FL_WGMMA_VALUES_200, "+f"(d[25][0]), "+f"(d[25][1]), "+f"(d[25][2]), "+f"(d[25][3])
#define FL_WGMMA_NAMES_216 FL_WGMMA_NAMES_208 ", %104, %105, %106, %107"
#define FL_WGMMA_VALUES_216 FL_WGMMA_VALUES_208, "+f"(d[26][0]), "+f"(d[26][1]), "+f"(d[26][2]), "+f"(d[26][3])
#define FL_WGMMA_NAMES_224 FL_WGMMA_NAMES_216 ", %108, %109, %110, %111"
#define FL_WGMMA_VALUES_224 FL_WGMMA_VALUES_216, "+f"(d[27][0]), "+f"(d[27][1]), "+f"(d[27][2]), "+f"(d[27][3])
#define FL_WGMMA_NAMES_232 FL_WGMMA_NAMES_224 ", %112, %113, %114, %115"
#define FL_WGMMA_VALUES_232 FL_WGMMA_VALUES_224, "+f"(d[28][0]), "+f"(d[28][1]), "+f"(d[28][2]), "+f"(d[28][3])
#define FL_WGMMA_NAMES_240 FL_WGMMA_NAMES_232 ", %116, %117, %118, %119"
#define FL_WGMMA_VALUES_240 FL_WGMMA_VALUES_232, "+f"(d[29][0]), "+f"(d[29][1]), "+f"(d[29][2]), "+f"(d[29][3])
#define FL_WGMMA_NAMES_248 FL_WGMMA_NAMES_240 ", %120, %121, %122, %123"
#define FL_WGMMA_VALUES_248 FL_WGMMA_VALUES_240, "+f"(d[30][0]), "+f"(d[30][1]), "+f"(d[30][2]), "+f"(d[30][3])
#define FL_WGMMA_NAMES_256 FL_WGMMA_NAMES_248 ", %124, %125, %126, %127"
#define FL_WGMMA_VALUES_256 FL_WGMMA_VALUES_248, "+f"(d[31][0]), "+f"(d[31][1]), "+f"(d[31][2]), "+f"(d[31][3])

#define FL_WGMMA_TEXT(N, TYPE, NAMES, OPERANDS, ADD) \
  "{\n.reg .pred p;\nsetp.ne.b32 p, " ADD ", 0;\n" \
  "wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TYPE "." TYPE " {" NAMES "}, " OPERANDS ";\n}"

// The operands follow the accumulator's registers: a (a descriptor, or four registers), b, add, transpose_b.
#define FL_WGMMA(N, NAMES, OPERANDS, ADD, VALUES, ...) \
  if constexpr (is_bfloat16<T>) { \
    asm volatile(FL_WGMMA_TEXT(N, "bf16", NAMES, OPERANDS, ADD) : VALUES : __VA_ARGS__, "l"(b), "r"(add), "n"(TRANSPOSE_B)); \
  } else { \
    asm volatile(FL_WGMMA_TEXT(N, "f16", NAMES, OPERANDS, ADD) : VALUES : __VA_ARGS__, "l"(b), "r"(add), "n"(TRANSPOSE_B)); \
  }

namespace flashlight::device::detail {

// d (64 x N over the warpgroup) = a (64 x 16) b (16 x N) + (add ? d : 0). a and b: matrix descriptors, or a's
// fragment in registers. TRANSPOSE_B: b lies with N contiguous. Asynchronous: see wgmma.h.
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[1][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(8, FL_WGMMA_NAMES_8, "%4, %5, p, 1, 1, 0, %7", "%6", FL_WGMMA_VALUES_8, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[1][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(8, FL_WGMMA_NAMES_8, "{%4, %5, %6, %7}, %8, p, 1, 1, %10", "%9", FL_WGMMA_VALUES_8, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[2][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(16, FL_WGMMA_NAMES_16, "%8, %9, p, 1, 1, 0, %11", "%10", FL_WGMMA_VALUES_16, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[2][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(16, FL_WGMMA_NAMES_16, "{%8, %9, %10, %11}, %12, p, 1, 1, %14", "%13", FL_WGMMA_VALUES_16, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[3][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(24, FL_WGMMA_NAMES_24, "%12, %13, p, 1, 1, 0, %15", "%14", FL_WGMMA_VALUES_24, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[3][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(24, FL_WGMMA_NAMES_24, "{%12, %13, %14, %15}, %16, p, 1, 1, %18", "%17", FL_WGMMA_VALUES_24, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[4][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(32, FL_WGMMA_NAMES_32, "%16, %17, p, 1, 1, 0, %19", "%18", FL_WGMMA_VALUES_32, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[4][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(32, FL_WGMMA_NAMES_32, "{%16, %17, %18, %19}, %20, p, 1, 1, %22", "%21", FL_WGMMA_VALUES_32, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[5][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(40, FL_WGMMA_NAMES_40, "%20, %21, p, 1, 1, 0, %23", "%22", FL_WGMMA_VALUES_40, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[5][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(40, FL_WGMMA_NAMES_40, "{%20, %21, %22, %23}, %24, p, 1, 1, %26", "%25", FL_WGMMA_VALUES_40, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[6][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(48, FL_WGMMA_NAMES_48, "%24, %25, p, 1, 1, 0, %27", "%26", FL_WGMMA_VALUES_48, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[6][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(48, FL_WGMMA_NAMES_48, "{%24, %25, %26, %27}, %28, p, 1, 1, %30", "%29", FL_WGMMA_VALUES_48, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[7][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(56, FL_WGMMA_NAMES_56, "%28, %29, p, 1, 1, 0, %31", "%30", FL_WGMMA_VALUES_56, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[7][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(56, FL_WGMMA_NAMES_56, "{%28, %29, %30, %31}, %32, p, 1, 1, %34", "%33", FL_WGMMA_VALUES_56, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[8][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(64, FL_WGMMA_NAMES_64, "%32, %33, p, 1, 1, 0, %35", "%34", FL_WGMMA_VALUES_64, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[8][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(64, FL_WGMMA_NAMES_64, "{%32, %33, %34, %35}, %36, p, 1, 1, %38", "%37", FL_WGMMA_VALUES_64, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[9][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(72, FL_WGMMA_NAMES_72, "%36, %37, p, 1, 1, 0, %39", "%38", FL_WGMMA_VALUES_72, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[9][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(72, FL_WGMMA_NAMES_72, "{%36, %37, %38, %39}, %40, p, 1, 1, %42", "%41", FL_WGMMA_VALUES_72, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[10][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(80, FL_WGMMA_NAMES_80, "%40, %41, p, 1, 1, 0, %43", "%42", FL_WGMMA_VALUES_80, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[10][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(80, FL_WGMMA_NAMES_80, "{%40, %41, %42, %43}, %44, p, 1, 1, %46", "%45", FL_WGMMA_VALUES_80, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[11][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(88, FL_WGMMA_NAMES_88, "%44, %45, p, 1, 1, 0, %47", "%46", FL_WGMMA_VALUES_88, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[11][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(88, FL_WGMMA_NAMES_88, "{%44, %45, %46, %47}, %48, p, 1, 1, %50", "%49", FL_WGMMA_VALUES_88, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[12][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(96, FL_WGMMA_NAMES_96, "%48, %49, p, 1, 1, 0, %51", "%50", FL_WGMMA_VALUES_96, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[12][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(96, FL_WGMMA_NAMES_96, "{%48, %49, %50, %51}, %52, p, 1, 1, %54", "%53", FL_WGMMA_VALUES_96, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[13][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(104, FL_WGMMA_NAMES_104, "%52, %53, p, 1, 1, 0, %55", "%54", FL_WGMMA_VALUES_104, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[13][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(104, FL_WGMMA_NAMES_104, "{%52, %53, %54, %55}, %56, p, 1, 1, %58", "%57", FL_WGMMA_VALUES_104, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[14][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(112, FL_WGMMA_NAMES_112, "%56, %57, p, 1, 1, 0, %59", "%58", FL_WGMMA_VALUES_112, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[14][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(112, FL_WGMMA_NAMES_112, "{%56, %57, %58, %59}, %60, p, 1, 1, %62", "%61", FL_WGMMA_VALUES_112, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[15][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(120, FL_WGMMA_NAMES_120, "%60, %61, p, 1, 1, 0, %63", "%62", FL_WGMMA_VALUES_120, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[15][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(120, FL_WGMMA_NAMES_120, "{%60, %61, %62, %63}, %64, p, 1, 1, %66", "%65", FL_WGMMA_VALUES_120, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[16][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(128, FL_WGMMA_NAMES_128, "%64, %65, p, 1, 1, 0, %67", "%66", FL_WGMMA_VALUES_128, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[16][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(128, FL_WGMMA_NAMES_128, "{%64, %65, %66, %67}, %68, p, 1, 1, %70", "%69", FL_WGMMA_VALUES_128, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[17][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(136, FL_WGMMA_NAMES_136, "%68, %69, p, 1, 1, 0, %71", "%70", FL_WGMMA_VALUES_136, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[17][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(136, FL_WGMMA_NAMES_136, "{%68, %69, %70, %71}, %72, p, 1, 1, %74", "%73", FL_WGMMA_VALUES_136, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[18][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(144, FL_WGMMA_NAMES_144, "%72, %73, p, 1, 1, 0, %75", "%74", FL_WGMMA_VALUES_144, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[18][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(144, FL_WGMMA_NAMES_144, "{%72, %73, %74, %75}, %76, p, 1, 1, %78", "%77", FL_WGMMA_VALUES_144, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[19][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(152, FL_WGMMA_NAMES_152, "%76, %77, p, 1, 1, 0, %79", "%78", FL_WGMMA_VALUES_152, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[19][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(152, FL_WGMMA_NAMES_152, "{%76, %77, %78, %79}, %80, p, 1, 1, %82", "%81", FL_WGMMA_VALUES_152, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[20][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(160, FL_WGMMA_NAMES_160, "%80, %81, p, 1, 1, 0, %83", "%82", FL_WGMMA_VALUES_160, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[20][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(160, FL_WGMMA_NAMES_160, "{%80, %81, %82, %83}, %84, p, 1, 1, %86", "%85", FL_WGMMA_VALUES_160, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[21][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(168, FL_WGMMA_NAMES_168, "%84, %85, p, 1, 1, 0, %87", "%86", FL_WGMMA_VALUES_168, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[21][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(168, FL_WGMMA_NAMES_168, "{%84, %85, %86, %87}, %88, p, 1, 1, %90", "%89", FL_WGMMA_VALUES_168, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[22][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(176, FL_WGMMA_NAMES_176, "%88, %89, p, 1, 1, 0, %91", "%90", FL_WGMMA_VALUES_176, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[22][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(176, FL_WGMMA_NAMES_176, "{%88, %89, %90, %91}, %92, p, 1, 1, %94", "%93", FL_WGMMA_VALUES_176, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[23][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(184, FL_WGMMA_NAMES_184, "%92, %93, p, 1, 1, 0, %95", "%94", FL_WGMMA_VALUES_184, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[23][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(184, FL_WGMMA_NAMES_184, "{%92, %93, %94, %95}, %96, p, 1, 1, %98", "%97", FL_WGMMA_VALUES_184, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[24][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(192, FL_WGMMA_NAMES_192, "%96, %97, p, 1, 1, 0, %99", "%98", FL_WGMMA_VALUES_192, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[24][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(192, FL_WGMMA_NAMES_192, "{%96, %97, %98, %99}, %100, p, 1, 1, %102", "%101", FL_WGMMA_VALUES_192, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[25][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(200, FL_WGMMA_NAMES_200, "%100, %101, p, 1, 1, 0, %103", "%102", FL_WGMMA_VALUES_200, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[25][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(200, FL_WGMMA_NAMES_200, "{%100, %101, %102, %103}, %104, p, 1, 1, %106", "%105", FL_WGMMA_VALUES_200, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[26][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(208, FL_WGMMA_NAMES_208, "%104, %105, p, 1, 1, 0, %107", "%106", FL_WGMMA_VALUES_208, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[26][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(208, FL_WGMMA_NAMES_208, "{%104, %105, %106, %107}, %108, p, 1, 1, %110", "%109", FL_WGMMA_VALUES_208, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[27][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(216, FL_WGMMA_NAMES_216, "%108, %109, p, 1, 1, 0, %111", "%110", FL_WGMMA_VALUES_216, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[27][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(216, FL_WGMMA_NAMES_216, "{%108, %109, %110, %111}, %112, p, 1, 1, %114", "%113", FL_WGMMA_VALUES_216, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[28][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(224, FL_WGMMA_NAMES_224, "%112, %113, p, 1, 1, 0, %115", "%114", FL_WGMMA_VALUES_224, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[28][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(224, FL_WGMMA_NAMES_224, "{%112, %113, %114, %115}, %116, p, 1, 1, %118", "%117", FL_WGMMA_VALUES_224, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[29][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(232, FL_WGMMA_NAMES_232, "%116, %117, p, 1, 1, 0, %119", "%118", FL_WGMMA_VALUES_232, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[29][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(232, FL_WGMMA_NAMES_232, "{%116, %117, %118, %119}, %120, p, 1, 1, %122", "%121", FL_WGMMA_VALUES_232, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[30][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(240, FL_WGMMA_NAMES_240, "%120, %121, p, 1, 1, 0, %123", "%122", FL_WGMMA_VALUES_240, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[30][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(240, FL_WGMMA_NAMES_240, "{%120, %121, %122, %123}, %124, p, 1, 1, %126", "%125", FL_WGMMA_VALUES_240, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[31][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(248, FL_WGMMA_NAMES_248, "%124, %125, p, 1, 1, 0, %127", "%126", FL_WGMMA_VALUES_248, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[31][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(248, FL_WGMMA_NAMES_248, "{%124, %125, %126, %127}, %128, p, 1, 1, %130", "%129", FL_WGMMA_VALUES_248, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[32][4], std::uint64_t a, std::uint64_t b, int add) {
  FL_WGMMA(256, FL_WGMMA_NAMES_256, "%128, %129, p, 1, 1, 0, %131", "%130", FL_WGMMA_VALUES_256, "l"(a))
}
template <class T, int TRANSPOSE_B> FL_DEVICE void wgmma(float (&d)[32][4], const std::uint32_t (&a)[4], std::uint64_t b, int add) {
  FL_WGMMA(256, FL_WGMMA_NAMES_256, "{%128, %129, %130, %131}, %132, p, 1, 1, %134", "%133", FL_WGMMA_VALUES_256, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))
}

}  // namespace flashlight::device::detail

#undef FL_WGMMA
#undef FL_WGMMA_TEXT
#undef FL_WGMMA_NAMES_8
#undef FL_WGMMA_VALUES_8
#undef FL_WGMMA_NAMES_16
#undef FL_WGMMA_VALUES_16
#undef FL_WGMMA_NAMES_24
#undef FL_WGMMA_VALUES_24
#undef FL_WGMMA_NAMES_32
#undef FL_WGMMA_VALUES_32
#undef FL_WGMMA_NAMES_40
#undef FL_WGMMA_VALUES_40
#undef FL_WGMMA_NAMES_48
#undef FL_WGMMA_VALUES_48
#undef FL_WGMMA_NAMES_56
#undef FL_WGMMA_VALUES_56
#undef FL_WGMMA_NAMES_64
#undef FL_WGMMA_VALUES_64
#undef FL_WGMMA_NAMES_72
#undef FL_WGMMA_VALUES_72
#undef FL_WGMMA_NAMES_80
#undef FL_WGMMA_VALUES_80
#undef FL_WGMMA_NAMES_88
#undef FL_WGMMA_VALUES_88
#undef FL_WGMMA_NAMES_96
#undef FL_WGMMA_VALUES_96
#undef FL_WGMMA_NAMES_104
#undef FL_WGMMA_VALUES_104
#undef FL_WGMMA_NAMES_112
#undef FL_WGMMA_VALUES_112
#undef FL_WGMMA_NAMES_120
#undef FL_WGMMA_VALUES_120
#undef FL_WGMMA_NAMES_128
#undef FL_WGMMA_VALUES_128
#undef FL_WGMMA_NAMES_136
#undef FL_WGMMA_VALUES_136
#undef FL_WGMMA_NAMES_144
#undef FL_WGMMA_VALUES_144
#undef FL_WGMMA_NAMES_152
#undef FL_WGMMA_VALUES_152
#undef FL_WGMMA_NAMES_160
#undef FL_WGMMA_VALUES_160
#undef FL_WGMMA_NAMES_168
#undef FL_WGMMA_VALUES_168
#undef FL_WGMMA_NAMES_176
#undef FL_WGMMA_VALUES_176
#undef FL_WGMMA_NAMES_184
#undef FL_WGMMA_VALUES_184
#undef FL_WGMMA_NAMES_192
#undef FL_WGMMA_VALUES_192
#undef FL_WGMMA_NAMES_200
#undef FL_WGMMA_VALUES_200
#undef FL_WGMMA_NAMES_208
#undef FL_WGMMA_VALUES_208
#undef FL_WGMMA_NAMES_216
#undef FL_WGMMA_VALUES_216
#undef FL_WGMMA_NAMES_224
#undef FL_WGMMA_VALUES_224
#undef FL_WGMMA_NAMES_232
#undef FL_WGMMA_VALUES_232
#undef FL_WGMMA_NAMES_240
#undef FL_WGMMA_VALUES_240
#undef FL_WGMMA_NAMES_248
#undef FL_WGMMA_VALUES_248
#undef FL_WGMMA_NAMES_256
#undef FL_WGMMA_VALUES_256

// clang-format on
