// SPDX-License-Identifier: Apache-2.0
// plant_faults <emitted.cu> <planted.cu>: the same file with every fault of planted.h in it, switched by
// planted_fault.
#include <fstream>
#include <iostream>
#include <string>

#include "planted.h"

namespace {

bool plant(std::string& text, const PlantedFault& fault, int number) {
  const std::size_t at = text.rfind(fault.find);
  if (at == std::string::npos) return false;
  std::string replace = fault.replace;
  const std::string active = "(planted_fault == " + std::to_string(number) + ")";
  for (std::size_t mark = replace.find('$'); mark != std::string::npos;
       mark = replace.find('$', mark + active.size()))
    replace.replace(mark, 1, active);
  text.replace(at, std::string(fault.find).size(), replace);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  std::ifstream in(argv[1]);
  const std::string emitted{std::istreambuf_iterator<char>(in), {}};
  // Each fault in a kernel of its own would take long to compile: each has its place, looked for in the
  // emitted text.
  std::string text = emitted;
  int number = 0, missing = 0;
  for (const PlantedFault& fault : planted_faults()) {
    if (plant(text, fault, ++number)) continue;
    std::cerr << "no place for the fault " << fault.name << "\n";
    ++missing;
  }
  std::ofstream out(argv[2]);
  out << "int planted_fault = 0;\n" << text;
  return missing ? 1 : 0;
}
