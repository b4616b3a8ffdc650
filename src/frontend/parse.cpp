// SPDX-License-Identifier: Apache-2.0
// Runs Clang: invocation, guarded file system, structured diagnostics.
#include "frontend/parse.h"
#include "frontend/text.h"

#include <sys/stat.h>

#include <set>

#include "clang/AST/ASTConsumer.h"
#include "clang/Frontend/CompilerInstance.h"
#include "clang/Frontend/FrontendActions.h"
#include "clang/Frontend/Utils.h"
#include "clang/Lex/PreprocessorOptions.h"
#include "llvm/Support/VirtualFileSystem.h"

namespace flashlight::frontend {

using namespace clang;

namespace {

constexpr std::uint64_t kMaxFile = 32u << 20;  // bytes

// Regular files and folders only: reading a FIFO or a device would hang.
class RegularFiles : public llvm::vfs::ProxyFileSystem {
 public:
  using ProxyFileSystem::ProxyFileSystem;
  llvm::ErrorOr<std::unique_ptr<llvm::vfs::File>> openFileForRead(const llvm::Twine& path) override {
    auto status = ProxyFileSystem::status(path);
    if (!status) return status.getError();
    if (!status->isRegularFile()) return std::make_error_code(std::errc::not_supported);
    if (status->getSize() > kMaxFile) return std::make_error_code(std::errc::file_too_large);
    return ProxyFileSystem::openFileForRead(path);
  }
};

class Collect : public DiagnosticConsumer {
 public:
  Collect(Program& program) : program_(program) {}
  void HandleDiagnostic(DiagnosticsEngine::Level level, const clang::Diagnostic& info) override {
    DiagnosticConsumer::HandleDiagnostic(level, info);
    if (level == DiagnosticsEngine::Ignored || level == DiagnosticsEngine::Remark ||
        level == DiagnosticsEngine::Warning) {
      last_dropped_ = true;
      return;
    }
    if (level == DiagnosticsEngine::Note && last_dropped_) return;
    last_dropped_ = false;
    Diagnostic d;
    d.severity = level == DiagnosticsEngine::Note ? Severity::Note : Severity::Error;
    llvm::SmallString<256> text;
    info.FormatDiagnostic(text);
    d.text = text.str().str();
    d.where.file = program_.path;
    if (info.hasSourceManager() && info.getLocation().isValid())
      place(d, info.getSourceManager(), info.getLocation());
    program_.diagnostics.push_back(std::move(d));
  }

 private:
  void place(Diagnostic& d, const SourceManager& sources, SourceLocation loc) {
    loc = sources.getFileLoc(loc);
    if (!sources.isInMainFile(loc)) d.where.file = sources.getFilename(loc).str();
    d.where.line = sources.getSpellingLineNumber(loc);
    d.where.column = sources.getSpellingColumnNumber(loc);
    d.source_line = line_at(sources, loc);
  }
  Program& program_;
  bool last_dropped_ = false;
};

// The options that write files, load code or change the action; the value says whether an argument follows.
std::vector<std::string> harmless(const std::vector<std::string>& args) {
  static const std::set<std::string> alone = {"-c",         "-S",    "-E",  "-M",          "-MM", "-MD",
                                              "-MMD",       "-MP",   "-MG", "-save-temps", "-v",  "-###",
                                              "-emit-llvm", "-pipe", "-g",  "-Werror"};
  static const std::set<std::string> with_argument = {"-o",
                                                      "-MF",
                                                      "-MT",
                                                      "-MQ",
                                                      "-MJ",
                                                      "-Xclang",
                                                      "-mllvm",
                                                      "-load",
                                                      "-x",
                                                      "-Xlinker",
                                                      "-Xassembler",
                                                      "-Xpreprocessor",
                                                      "-Xanalyzer",
                                                      "--config",
                                                      "--serialize-diagnostics",
                                                      "-serialize-diagnostics",
                                                      "-l",
                                                      "-L",
                                                      "-T"};
  static const std::vector<std::string> prefixes = {"-fplugin",
                                                    "-fpass-plugin",
                                                    "-save-temps=",
                                                    "-ftime-trace",
                                                    "-Wl,",
                                                    "-Wa,",
                                                    "-Wp,",
                                                    "-fprofile",
                                                    "-fcoverage",
                                                    "-fmodule",
                                                    "-fcrash-diagnostics",
                                                    "-gen-reproducer",
                                                    "-fsave-optimization-record",
                                                    "-foptimization-record",
                                                    "-l",
                                                    "-L",
                                                    "@",
                                                    "-fdiagnostics",
                                                    "-o",
                                                    "-MF",
                                                    "-MT",
                                                    "-MQ",
                                                    "-fsanitize",
                                                    "-flto",
                                                    "-O",
                                                    "-ftemplate-backtrace",
                                                    "-fproc-stat",
                                                    "--config",
                                                    "-fimplicit-module",
                                                    "-fmodules",
                                                    "-cc1",
                                                    "-fintegrated"};
  std::vector<std::string> out;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string& a = args[i];
    if (alone.count(a)) continue;
    if (with_argument.count(a)) {
      ++i;
      continue;
    }
    bool drop = false;
    for (const std::string& p : prefixes) drop |= a.compare(0, p.size(), p) == 0;
    if (!drop) out.push_back(a);
  }
  return out;
}

// Whatever got through: no plugin, no output, no module, no other action.
void restrict(CompilerInvocation& invocation) {
  auto& front = invocation.getFrontendOpts();
  front.ProgramAction = clang::frontend::ParseSyntaxOnly;
  front.OutputFile.clear();
  front.Plugins.clear();
  front.PluginArgs.clear();
  front.AddPluginActions.clear();
  front.LLVMArgs.clear();
  front.ModuleFiles.clear();
  front.ASTMergeFiles.clear();
  front.StatsFile.clear();
  front.TimeTracePath.clear();
  front.DisableFree = false;
  front.SkipFunctionBodies = true;  // decided per function by the consumer
  invocation.getDependencyOutputOpts() = DependencyOutputOptions();
  invocation.getCodeGenOpts().PassPlugins.clear();
  auto& diagnostics = invocation.getDiagnosticOpts();
  diagnostics.IgnoreWarnings = true;
  diagnostics.VerifyDiagnostics = false;
  diagnostics.DiagnosticLogFile.clear();
  diagnostics.DiagnosticSerializationFile.clear();
  diagnostics.ErrorLimit = 50;
  diagnostics.ShowCarets = false;  // else Clang prints how many errors there were
  invocation.getLangOpts().Modules = false;
  invocation.getLangOpts().ImplicitModules = false;
  invocation.getLangOpts().ConstexprStepLimit = 1u << 20;
  invocation.getPreprocessorOpts().ImplicitPCHInclude.clear();
}

class Consumer : public ASTConsumer {
 public:
  Consumer(const std::function<void(ASTContext&)>& with_ast, Program& program)
      : with_ast_(with_ast), program_(program) {}
  void HandleTranslationUnit(ASTContext& ast) override {
    if (ast.getDiagnostics().hasErrorOccurred()) return;
    program_.parsed = true;
    with_ast_(ast);
  }
  // The standard library is known by name; its bodies are never followed.
  bool shouldSkipFunctionBody(Decl* d) override {
    return d->getASTContext().getSourceManager().isInSystemHeader(d->getLocation());
  }

 private:
  const std::function<void(ASTContext&)>& with_ast_;
  Program& program_;
};

class Action : public ASTFrontendAction {
 public:
  Action(const std::function<void(ASTContext&)>& with_ast, Program& program)
      : with_ast_(with_ast), program_(program) {}
  std::unique_ptr<ASTConsumer> CreateASTConsumer(CompilerInstance&, StringRef) override {
    return std::make_unique<Consumer>(with_ast_, program_);
  }

 private:
  const std::function<void(ASTContext&)>& with_ast_;
  Program& program_;
};

void fail(Program& program, const std::string& id, const std::string& text) {
  Diagnostic d;
  d.id = id;
  d.where.file = program.path;
  d.text = text;
  program.diagnostics.push_back(std::move(d));
}

bool read_main_file(Program& program, llvm::vfs::FileSystem& files) {
  auto status = files.status(program.path);
  if (!status) fail(program, "cannot-read", program.path + ": " + status.getError().message());
  else if (!status->isRegularFile()) fail(program, "cannot-read", program.path + ": not a regular file");
  else if (status->getSize() > kMaxFile) fail(program, "cannot-read", program.path + ": larger than 32 MB");
  else if (auto buffer = files.getBufferForFile(program.path)) {
    program.text = (*buffer)->getBuffer().str();
    return true;
  } else {
    fail(program, "cannot-read", program.path + ": " + buffer.getError().message());
  }
  return false;
}

std::vector<std::string> command_line(const Program& program, const ReadOptions& options) {
  std::string resources = options.resource_dir.empty() ? FLASHLIGHT_CLANG_RESOURCE_DIR : options.resource_dir;
  std::vector<std::string> args = {"clang++", "-fsyntax-only", "-std=c++20", "-DFLASHLIGHT_TRANSLATOR"};
  args.push_back("-resource-dir=" + resources);
  for (std::string& a : harmless(options.compiler_args)) args.push_back(std::move(a));
  args.push_back("-I" + include_folder(options));
  args.insert(args.end(), {"-w", "-x", "c++", "--", program.path});
  return args;
}

}  // namespace

std::string include_folder(const ReadOptions& options) {
  std::string dir = options.include_dir;
  while (dir.size() > 1 && dir.back() == '/') dir.pop_back();
  return dir;
}

void parse(Program& program, const ReadOptions& options, const std::function<void(ASTContext&)>& with_ast) {
  llvm::IntrusiveRefCntPtr<llvm::vfs::FileSystem> files(new RegularFiles(llvm::vfs::getRealFileSystem()));
  if (!read_main_file(program, *files)) return;

  Collect collect(program);
  auto diagnostics =
      CompilerInstance::createDiagnostics(new DiagnosticOptions, &collect, /*ShouldOwnClient=*/false);
  std::vector<std::string> args = command_line(program, options);
  std::vector<const char*> pointers;
  for (const std::string& a : args) pointers.push_back(a.c_str());
  CreateInvocationOptions how;
  how.Diags = diagnostics;
  how.VFS = files;
  std::shared_ptr<CompilerInvocation> invocation = createInvocation(pointers, how);
  if (!invocation || diagnostics->hasErrorOccurred()) {
    if (program.diagnostics.empty())
      fail(program, "bad-arguments", "the compiler arguments do not describe one compilation");
    return;
  }
  restrict(*invocation);

  CompilerInstance compiler;
  compiler.setInvocation(invocation);
  compiler.createDiagnostics(&collect, /*ShouldOwnClient=*/false);
  compiler.setFileManager(new FileManager(compiler.getFileSystemOpts(), files));
  auto dependencies = std::make_shared<DependencyCollector>();
  compiler.addDependencyCollector(dependencies);
  Action action(with_ast, program);
  compiler.ExecuteAction(action);
  program.dependencies.assign(dependencies->getDependencies().begin(), dependencies->getDependencies().end());
}

}  // namespace flashlight::frontend
