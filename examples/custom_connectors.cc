// Connectors of one's own, one of each kind: readings of sensors from a folder of CSV files, which can be read again,
// and from a spool folder, which cannot, go into an SQLite database, each of them exactly once.
//
//   millrace submit custom_connectors.so --arg csv=/data/csv --arg spool=/data/spool --arg database=/data/readings.db
//
// Each connector is a header in examples/connectors, with its conformance test in tests/examples. Arguments: csv,
// spool, database, bounded (no more CSV files will come), interval, batch (records of a file in a batch, at most),
// spool_node (the executor on whose machine the spool folder is best read).
#include <millrace/millrace.h>

#include "examples/connectors/csv_folder.h"
#include "examples/connectors/spool_receiver.h"
#include "examples/connectors/sqlite_sink.h"

using namespace std::chrono_literals;

MILLRACE_JOB(custom_connectors, ctx) {
  ctx.BatchInterval(ctx.Arg("interval", 250ms));
  const bool bounded = ctx.Arg("bounded", false);
  const auto files = ctx.FromSource(std::make_shared<CsvFolder>(ctx.Arg("csv"), bounded),
                                    {.bounded = bounded,
                                     .discovery_interval = 1s,
                                     .max_records_per_batch = ctx.Arg("batch", std::uint64_t{100'000})});
  millrace::CustomReceiverOptions receivers{.names = {"spool"}};
  if (const std::string node = ctx.Arg("spool_node", ""); !node.empty()) receivers.preferred_nodes["spool"] = node;
  const auto pushed = ctx.FromReceiver(
      receivers, [spool = ctx.Arg("spool")](const std::string&) { return std::make_unique<SpoolReceiver>(spool); });
  ctx.Union({files.Uid("files"), pushed.Uid("pushed")})
      .Repartition(2)
      .ToSink(std::make_shared<SqliteSink>(ctx.Arg("database")))
      .Uid("readings");
}
