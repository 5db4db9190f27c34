#include "client/cli/commands.h"

namespace millrace::cli {

ExitCode Open(Session& session, std::string_view what) {
  absl::StatusOr<ClientOptions> options = ResolveSettings(session.global);
  if (!options.ok()) return Report(what, Message(options.status()), "millrace --help-config", kExitConfig);
  absl::StatusOr<TlsIdentity> identity = LoadIdentity(options->tls, "");
  if (!identity.ok()) return Report(what, Message(identity.status()), "", kExitConfig);
  absl::StatusOr<std::unique_ptr<Client>> client = Client::Connect(*std::move(options));
  if (!client.ok()) return Failed(session, what, client.status());
  session.client = *std::move(client);
  session.interrupt.Attach(session.client.get());
  return kExitOk;
}

ExitCode Failed(const Session& session, std::string_view what, const absl::Status& status) {
  if (session.interrupt.fired()) return kExitInterrupted;
  return ReportStatus(what, status);
}

}  // namespace millrace::cli
