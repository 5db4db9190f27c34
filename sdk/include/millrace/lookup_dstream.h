// Lookup joins: each record of a stream with the row that its key names in a table outside of the job.
//
//   struct Customer { std::string name; std::int32_t tier = 0; };
//
//   auto enriched = orders.LookupCassandra<Customer>(
//       {.contact_points = "10.0.0.1,10.0.0.2", .keyspace = "shop", .table = "customers",
//        .key_columns = {"id"}, .columns = {"name", "tier"}},
//       [](const Order& o) { return o.customer_id; },
//       [](const Order& o, const Customer* row) { return Enriched{o.id, row ? row->name : "?"}; });
//
// The function takes the row as `const Row*`, and is called for every record, with null where there is no row (a left
// outer join); or as `const Row&`, and is called for records with a row alone (an inner join). Row is a plain struct, a
// pair or a tuple of values, one for each of `columns`; what a value is says <millrace/cassandra.h>. A column that may
// be null is a std::optional. Views in a row live until the function's result has been consumed, as those in records.
// The key is a value, or a pair, tuple or struct of values for several key columns; where one is null there is no row.
//
// The records of a chunk wait together: their different keys are asked for at once, many requests in flight, unless the
// runner's cache has them; records keep their order. The table is as it is when it is asked, or was at most cache_ttl
// before: a batch that is computed again after a failure may see newer rows. docs/connectors/cassandra.md says what
// follows from that, and what becomes of servers that are away.
//
// Errors: std::invalid_argument at plan time. What the functions throw, and a null or a number for which a field has no
// room, is a bad record (<millrace/bad_records.h>); after BadRecords() rows are asked for one by one. What the server
// refuses (names, types, rights) ends the job. Thread rule: one thread builds a graph.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/internal/cassandra_lookup.h"
#include "millrace/internal/lookup_operator.h"
#include "millrace/transform_dstream.h"

namespace millrace {

struct CassandraLookupOptions {
  std::string contact_points = {};  // "host,host:port": any node; the others are found through it
  std::uint16_t port = 9042;        // of contact points that name none
  std::string keyspace = {};
  std::string table = {};
  std::vector<std::string> key_columns = {};    // the whole primary key, in the order of the key's values
  std::vector<std::string> columns = {};        // in the order of the row's fields; as the table spells them
  std::uint64_t cache_rows = 100'000;           // kept by each runner, and keys known to have no row; 0: none
  std::uint64_t cache_bytes = 64 << 20;         // of keys and rows together
  std::chrono::milliseconds cache_ttl{60'000};  // how old a row may be that a record is joined with
  std::string consistency = "LOCAL_QUORUM";
  std::string username = {};       // empty: no authentication
  std::string password_file = {};  // on every executor; its first line is the password
  bool tls = false;
  std::string tls_ca_file = {};    // on every executor; empty: the machine's own authorities
  std::string tls_cert_file = {};  // with tls_key_file: for servers that ask for a certificate
  std::string tls_key_file = {};
  std::string tls_server_name = {};   // in all nodes' certificates; empty: each node's address
  std::string local_datacenter = {};  // empty: that of the contact point that answers
  std::uint32_t max_in_flight = 256;  // requests of a task; fewer when the cluster is overloaded
  std::uint32_t connect_timeout_ms = 5'000;
  std::uint32_t request_timeout_ms = 12'000;
};

template <class T>
class LookupOperations : public TransformOperations<T> {
  using Where = std::source_location;

 public:
  using TransformOperations<T>::TransformOperations;

  template <class Row, class KeyOf, class F>
  auto LookupCassandra(const CassandraLookupOptions& options, KeyOf key, F f, Where where = Where::current()) const {
    static_assert(std::is_invocable_v<const KeyOf&, const T&>,
                  "LookupCassandra needs a function for the key, callable, as const, as key(record)");
    using LookupKey = std::remove_cvref_t<std::invoke_result_t<const KeyOf&, const T&>>;
    static_assert(detail::IsCassandraKey<LookupKey>(),
                  "LookupCassandra needs a key that is a value, or a pair, a tuple or a plain struct of values; see "
                  "<millrace/cassandra.h> for what a value is");
    static_assert(std::default_initializable<Row> && detail::IsReadableRow<Row>(),
                  "LookupCassandra<Row> needs a pair, a tuple or a plain struct of values that can be made empty; see "
                  "<millrace/cassandra.h> for what a value is");
    constexpr bool kOuter = std::is_invocable_v<const F&, const T&, const Row*>;
    static_assert(kOuter || std::is_invocable_v<const F&, const T&, const Row&>,
                  "LookupCassandra needs a function callable, as const, as f(record, const Row*), or as f(record, "
                  "const Row&) to leave out records without a row");
    using Out = typename detail::LookupResult<kOuter, T, Row, F>::Type;
    static_assert(!std::is_void_v<Out>, "LookupCassandra needs a function that gives something");
    detail::Node node = this->template Consume<Out>(engine::OperatorKind::kNarrow, "LookupCassandra", where);
    node.description.connector = "cassandra";
    node.description.options = detail::CassandraLookupMap<LookupKey, Row>(options, where);
    node.handles_bad = true;
    using Op = detail::LookupOperator<T, Out, Row, KeyOf, F>;
    node.make = [functions = std::make_shared<const std::pair<KeyOf, F>>(std::move(key), std::move(f)),
                 columns = options.columns](const detail::OperatorSetup& setup) {
      return std::make_unique<Op>(setup, functions->first, functions->second, columns);
    };
    return DStream<Out>(this->graph(), this->graph()->Add(std::move(node)));
  }
};

}  // namespace millrace
