// The whole SDK for the author of a job: include this, write one MILLRACE_JOB, build a shared library with
// millrace_add_job().
//
//   #include <millrace/millrace.h>
//   MILLRACE_JOB(WordCount, ctx) {
//     ctx.BatchInterval(std::chrono::milliseconds(500));
//     ctx.GeneratorText({.rate = 1000})
//         .FlatMap([](std::string_view line, auto&& emit) { millrace::ForEachWord(line, emit); })
//         .Map([](std::string_view word) { return std::pair(word, 1L); })
//         .ReduceByKey([](long a, long b) { return a + b; })
//         .Print();
//   }
//
// Where to read on: context.h (settings, arguments, sources) · dstream.h, pair_dstream.h (operators) · join_dstream.h,
// window_dstream.h, stateful_dstream.h, event_time_dstream.h, transform_dstream.h, lookup_dstream.h (more of them) ·
// bad_records.h, storage_level.h · outputs.h, sinks.h, cassandra.h · sources.h, socket.h, s3_access.h ·
// kafka_record.h, message.h, rabbitmq.h ·
// custom_source.h, custom_receiver.h, custom_sink.h (connectors of your own) · batch_context.h
// (ForEachBatch) · owned.h (what may be kept) · codec.h, hash.h, to_text.h (traits for types of your own) ·
// codec_protobuf.h (not included here). engine.h is the boundary to the runner; internal/ is not for job authors.
#pragma once

#include "millrace/batch_context.h"
#include "millrace/cassandra.h"
#include "millrace/codec.h"
#include "millrace/context.h"
#include "millrace/custom_receiver.h"
#include "millrace/custom_sink.h"
#include "millrace/custom_source.h"
#include "millrace/dstream.h"
#include "millrace/emitter.h"
#include "millrace/event_stream.h"
#include "millrace/event_windows.h"
#include "millrace/hash.h"
#include "millrace/job.h"
#include "millrace/kafka_record.h"
#include "millrace/message.h"
#include "millrace/outputs.h"
#include "millrace/owned.h"
#include "millrace/pair_dstream.h"
#include "millrace/rabbitmq.h"
#include "millrace/random_text.h"
#include "millrace/sinks.h"
#include "millrace/socket.h"
#include "millrace/sources.h"
#include "millrace/timed.h"
#include "millrace/to_text.h"
#include "millrace/words.h"
