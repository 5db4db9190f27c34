#include "executor/connectors/cassandra/cassandra_lookup.h"

#include <optional>

#include "common/log.h"
#include "common/status.h"
#include "executor/connectors/cassandra/lookup_options.h"
#include "executor/connectors/cassandra/lookup_statement.h"
#include "executor/connectors/cassandra/request_pipeline.h"
#include "executor/connectors/cassandra/session.h"
#include "executor/connectors/cassandra/table.h"

namespace millrace {
namespace cassandra {
namespace {

constexpr std::chrono::seconds kOpenTime{20};
constexpr std::chrono::seconds kPatience{20};

Deadline After(std::chrono::seconds time) { return std::chrono::steady_clock::now() + time; }

class Reader : public LookupReader {
 public:
  Reader(std::shared_ptr<const LookupOptions> options, std::shared_ptr<const TlsContext> tls)
      : options_(std::move(options)),
        tls_(std::move(tls)),
        pipeline_(options_->client.max_in_flight, "looking up rows") {}

  absl::Status Open() override {
    const Deadline deadline = After(kOpenTime);
    MR_ASSIGN_OR_RETURN(session_, Session::Open(options_->client, tls_.get(), deadline));
    MR_ASSIGN_OR_RETURN(Table table,
                        LoadTable(*session_, options_->keyspace, options_->table, TableUse::kRead, deadline));
    MR_ASSIGN_OR_RETURN(statement_, LookupStatement::Make(std::move(table), *options_));
    MR_ASSIGN_OR_RETURN(prepared_, session_->Prepare(statement_->Cql(), deadline));
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<LookupRow>> Find(std::span<const std::string* const> keys) override {
    std::vector<LookupRow> rows(keys.size());
    std::vector<Request> requests;
    std::vector<std::size_t> places;  // in `rows`, by request
    for (std::size_t i = 0; i < keys.size(); ++i) {
      MR_ASSIGN_OR_RETURN(std::optional<Request> request, statement_->Bind(*keys[i], prepared_));
      if (!request) continue;
      requests.push_back(*std::move(request));
      places.push_back(i);
    }
    session_->RefreshTopology(After(kPatience));
    const std::uint64_t cuts = pipeline_.window().cuts();
    const auto take = [&](std::size_t request, std::string_view body) -> absl::Status {
      MR_ASSIGN_OR_RETURN(rows[places[request]], statement_->Row(body));
      return absl::OkStatus();
    };
    MR_RETURN_IF_ERROR(pipeline_.Run(*session_, requests, kPatience, take));
    if (pipeline_.window().cuts() != cuts) {
      log::Info(
          "cassandra was overloaded, fewer rows are looked up at once",
          {{"table", Concat(options_->keyspace, ".", options_->table)}, {"in_flight", pipeline_.window().size()}});
    }
    return rows;
  }

 private:
  const std::shared_ptr<const LookupOptions> options_;
  const std::shared_ptr<const TlsContext> tls_;
  RequestPipeline pipeline_;
  std::optional<LookupStatement> statement_;
  std::uint32_t prepared_ = 0;
  std::unique_ptr<Session> session_;
};

class CassandraLookup : public Lookup {
 public:
  explicit CassandraLookup(LookupOptions options)
      : options_(std::make_shared<const LookupOptions>(std::move(options))) {}

  // The files of TLS are read for each reader: certificates may be renewed while a job runs.
  absl::StatusOr<std::unique_ptr<LookupReader>> NewReader() override {
    std::shared_ptr<const TlsContext> tls;
    if (options_->client.tls) {
      MR_ASSIGN_OR_RETURN(tls, TlsContext::Make("cassandra", options_->client.tls_options));
    }
    return std::make_unique<Reader>(options_, std::move(tls));
  }
  LookupCacheLimits cache_limits() const override { return options_->cache; }

 private:
  const std::shared_ptr<const LookupOptions> options_;
};

}  // namespace
}  // namespace cassandra

absl::StatusOr<std::unique_ptr<Lookup>> MakeCassandraLookup(const engine::OperatorDescription& description) {
  MR_ASSIGN_OR_RETURN(cassandra::LookupOptions options, cassandra::ReadLookupOptions(description));
  return std::make_unique<cassandra::CassandraLookup>(std::move(options));
}

}  // namespace millrace
