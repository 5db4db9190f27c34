#!/bin/sh
# usage: compile_errors.sh COMPILER INCLUDE_DIR
# Mistakes in jobs that the compiler must explain in words: each case must fail, and say the given text.
set -eu
compiler=$1 include=$2
failed=0

expect() {  # MESSAGE STATEMENTS
  message=$1
  program="#include <millrace/millrace.h>
#include <mutex>
struct Opaque { explicit Opaque(int) {} int hidden() const { return hidden_; } private: int hidden_ = 0; };
struct Borrowed { int n; std::string_view text; };
MILLRACE_JOB(wrong, ctx) {
  auto lines = ctx.TextFiles({.directory = \"d\"});
  $2
}"
  if output=$(echo "$program" | "$compiler" -std=c++20 -fsyntax-only -I "$include" -x c++ - 2>&1); then
    echo "this compiles, and should not: $2" >&2
    failed=1
  elif ! echo "$output" | grep -F "$message" > /dev/null; then
    echo "this fails without saying '$message': $2" >&2
    echo "$output" | grep error: | head -5 >&2
    failed=1
  fi
}

expect "Repartition needs a millrace::Codec for this record type" \
  'lines.Map([](std::string_view) { return Opaque(1); }).Repartition(2);'
expect "ReduceByKey needs a millrace::Hasher for the key type" \
  'lines.Map([](std::string_view) { return std::pair(Opaque(1), 1); }).ReduceByKey([](int a, int b) { return a + b; });'
expect "ReduceByKey needs a millrace::Codec for the value type" \
  'lines.Map([](std::string_view) { return std::pair(1, Opaque(1)); }).ReduceByKey([](Opaque a, Opaque) { return a; });'
expect "Print needs a millrace::ToText for this record type" \
  'lines.Map([](std::string_view) { return Opaque(1); }).Print();'
expect "ReduceByKey needs a stream of std::pair" \
  'lines.ReduceByKey([](int a, int b) { return a + b; });'
expect "Map needs a function callable, as const, as f(record)" \
  'lines.Map([](int) { return 1; });'
expect "Map needs a function callable, as const, as f(record)" \
  'lines.Map([n = 0](std::string_view) mutable { return ++n; });'
expect "Map needs a function that gives something" \
  'lines.Map([](std::string_view) {});'
expect "Filter needs a function callable" \
  'lines.Filter([](std::string_view t) { return std::string(t); });'
expect "the function gives a text, which is no range of records" \
  'lines.FlatMap([](std::string_view t) { return std::string(t); });'
expect "a std::string emitted as std::string_view would be read after its end" \
  'lines.FlatMap([](std::string_view t, auto&& emit) { emit(std::string(t)); });'
expect "what is emitted is not of the operator's output type" \
  'lines.FlatMap([](std::string_view, auto&& emit) { emit(std::pair(1, 2)); });'
expect "ForEachBatch keeps records, and this type holds views" \
  'lines.Map([](std::string_view t) { return Borrowed{1, t}; }).ForEachBatch([](const auto&, auto) {});'
expect "ForEachBatch needs a function that can be called as" \
  'lines.ForEachBatch([](int) {});'
expect "ToKafka writes pairs and texts" \
  'lines.Map([](std::string_view t) { return t.size(); }).ToKafka({.brokers = "h", .topic = "t"});'
expect "ToCassandra writes pairs, tuples and plain structs of values" \
  'lines.ToCassandra({.contact_points = "h", .keyspace = "k", .table = "t", .columns = {"c"}});'
expect "LookupCassandra needs a key that is a value" \
  'lines.LookupCassandra<std::tuple<int>>({}, [](std::string_view t) { return std::vector{t}; },
                                          [](std::string_view, const std::tuple<int>*) { return 1; });'
expect "LookupCassandra<Row> needs a pair, a tuple or a plain struct of values" \
  'lines.LookupCassandra<std::vector<int>>({}, [](std::string_view t) { return t; },
                                           [](std::string_view, const std::vector<int>*) { return 1; });'
expect "WithTimestamps needs a function that gives a std::chrono::sys_time" \
  'lines.WithTimestamps([](std::string_view t) { return std::string(t); });'
expect "WithSourceTimestamps needs a stream of millrace::KafkaRecord or millrace::Message" \
  'lines.WithSourceTimestamps();'
expect "WindowByKey needs a stream of std::pair" \
  'lines.WithTimestamps([](std::string_view) { return 1; }).WindowByKey(millrace::Tumbling(std::chrono::seconds(1)));'
expect "WindowByKey needs Tumbling(size), Sliding(size, slide) or Session(gap)" \
  'lines.Map([](std::string_view t) { return std::pair(t, t); }).WithTimestamps([](const auto&) { return 1; })
     .WindowByKey(std::chrono::seconds(1));'
expect "this operator keeps records, and this type holds views" \
  'lines.Map([](std::string_view t) { return std::pair(1, Borrowed{1, t}); }).WithTimestamps([](const auto&) { return 1; })
     .WindowByKey(millrace::Session(std::chrono::seconds(1))).Count();'

keyed='auto pairs = lines.Map([](std::string_view t) { return std::pair(t, 1); });
  using Old = std::optional<int>;
  using Ints = std::span<const int>;
  using Handle = millrace::StateHandle<int>;'
expect "keyed state needs a stream of std::pair" \
  'lines.UpdateStateByKey([](auto, auto, std::optional<int> old) { return old; });'
expect "keyed state needs a millrace::Hasher for the key type" \
  'lines.Map([](std::string_view) { return std::pair(Opaque(1), 1); })
     .UpdateStateByKey([](const Opaque&, std::span<const int>, std::optional<int> old) { return old; });'
expect "keyed state needs a millrace::Codec for the state's type" \
  "$keyed"' pairs.UpdateStateByKey([](auto&, Ints, std::optional<Opaque> old) { return old; });'
expect "a state is kept from batch to batch, and this type holds views" \
  "$keyed"' pairs.UpdateStateByKey([](auto&, Ints, std::optional<std::string_view> old) { return old; });'
expect "UpdateStateByKey needs a function callable, as const, as f(key, std::span<const Value>" \
  "$keyed"' pairs.UpdateStateByKey([](auto&, Old old) { return old; });'
expect "UpdateStateByKey needs a function that gives std::optional<State>" \
  "$keyed"' pairs.UpdateStateByKey([](auto&, Ints, Old) { return 1; });'
expect "the initial state must be pairs of the key's type and the state's" \
  "$keyed"' pairs.UpdateStateByKey([](auto&, Ints, Old old) { return old; }, std::vector{std::pair(1, 1)});'
expect "MapWithState needs a function callable, as const, as f(key, std::optional<Value>" \
  "$keyed"' pairs.MapWithState(millrace::StateSpec([](const std::string&, int, Handle&) { return 1; }));'
expect "a function of auto arguments needs the state's type: StateSpec<State>(f)" \
  "$keyed"' pairs.MapWithState(millrace::StateSpec([](auto, auto, auto&) { return 1; }));'
expect "MapWithState needs a function that gives a record" \
  "$keyed"' struct F { void operator()(const std::string&, Old, Handle&) const {} };
     pairs.MapWithState(millrace::StateSpec(F{}));'

process="$keyed"' struct P : millrace::KeyedProcess<std::string,'
expect "with the stream's key type" \
  "$keyed"' struct P : millrace::KeyedProcess<int, int, int> {
     void OnRecord(Context&, const int&, const int&, Emit&) {} };
     pairs.Process<P>();'
expect "the KeyedProcess takes other records than the stream's values" \
  "$process"' long, int> { void OnRecord(Context&, const std::string&, const long&, Emit&) {} };
     pairs.Process<P>();'
expect "Process needs a public member void OnRecord" \
  "$process"' int, int> { void OnRecord(Context&, const std::string&) {} };
     pairs.Process<P>();'
expect "a KeyedProcess emits records that own what they point to" \
  "$process"' int, std::string_view> { void OnRecord(Context&, const std::string&, int, Emit&) {} };
     pairs.Process<P>();'
expect "a state needs a millrace::Codec for its type" \
  "$process"' int, int> { void OnRecord(Context&, const std::string&, int, Emit&) {}
     ValueState<Opaque> state{*this, "state"}; };
     pairs.Process<P>();'

expect "a CustomSource needs a millrace::Codec for its record type" \
  'struct S : millrace::CustomSource<Opaque> {}; (void)sizeof(S);'
expect "a CustomReceiver needs a millrace::Codec for its record type" \
  'struct R : millrace::CustomReceiver<Opaque> {}; (void)sizeof(R);'
expect "a CustomSink needs a millrace::Codec for its row type" \
  'struct S : millrace::CustomSink<Opaque> {}; (void)sizeof(S);'
expect "FromSource needs a shared_ptr to a class derived from millrace::CustomSource<T>" \
  'struct S { using Record = int; }; ctx.FromSource(std::make_shared<S>());'
expect "FromReceiver needs a function callable, as const, as make(const std::string& name)" \
  'ctx.FromReceiver({}, [] { return 1; });'
expect "FromReceiver needs a function that gives a std::unique_ptr to a millrace::CustomReceiver<T>" \
  'struct R { using Record = int; }; ctx.FromReceiver({}, [](const std::string&) { return std::make_unique<R>(); });'
expect "ToSink needs a shared_ptr to a class derived from millrace::CustomSink<T>" \
  'struct S { using Record = int; }; lines.ToSink(std::make_shared<S>(), [](std::string_view) { return 1; });'
expect "ToSink: the sink takes another type than the stream" \
  'struct S : millrace::CustomSink<int> {}; lines.ToSink(std::shared_ptr<S>());'
expect "ToSink needs a function that gives a row of the sink" \
  'struct S : millrace::CustomSink<int> {}; lines.ToSink(std::shared_ptr<S>(), [](std::string_view t) { return t; });'
exit $failed
