// usage: show_plan JOB.so: builds the job's graph and prints its operators, one a line.
#include <dlfcn.h>
#include <millrace/engine.h>

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: show_plan JOB.so\n"), 2;
  void* library = dlopen(argv[1], RTLD_NOW);
  if (library == nullptr) return std::fprintf(stderr, "%s\n", dlerror()), 1;
  const auto create = reinterpret_cast<millrace::engine::CreateProgram>(dlsym(library, millrace::engine::kEntryPoint));
  if (create == nullptr) return std::fprintf(stderr, "%s\n", dlerror()), 1;
  try {
    const auto program = create({});
    const millrace::engine::GraphDescription& graph = program->description();
    for (const auto& op : graph.operators) {
      std::printf("%u %s at %s: %s\n", op.id, op.name.c_str(), op.location.c_str(), op.output_type.c_str());
    }
    std::printf("job %s, %zu stages\n", graph.name.c_str(), graph.stages.size());
  } catch (const std::exception& error) {
    return std::fprintf(stderr, "%s\n", error.what()), 1;
  }
  return 0;
}
