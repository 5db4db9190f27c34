#include "common/net/grpc_log.h"

#include <grpc/support/log.h>

#include "common/log.h"

namespace millrace {

void RouteGrpcLog() {
  gpr_set_log_function([](gpr_log_func_args* args) {
    log::Debug(
        "grpc",
        {{"text", std::string_view(args->message)}, {"file", std::string_view(args->file)}, {"line", args->line}});
  });
}

void SilenceGrpcLog() {
  gpr_set_log_function([](gpr_log_func_args*) {});
}

}  // namespace millrace
