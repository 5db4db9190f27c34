// The bodies of Flume's events, one a line, in files: for tests that count them.
//
// Arguments: out (directory), port, ports, id_header, certificate, private_key.
#include <millrace/flume.h>
#include <millrace/millrace.h>

using namespace std::chrono_literals;

MILLRACE_JOB(flume_ledger, ctx) {
  ctx.BatchInterval(100ms);
  ctx.FlumeText({.port = ctx.Arg<std::uint16_t>("port", 4141),
                 .ports = ctx.Arg<std::uint16_t>("ports", 1),
                 .id_header = ctx.Arg("id_header", ""),
                 .certificate = ctx.Arg("certificate", ""),
                 .private_key = ctx.Arg("private_key", "")})
      .Uid("events")
      .ToFiles({.directory = ctx.Arg("out")})
      .Uid("ledger");
}
