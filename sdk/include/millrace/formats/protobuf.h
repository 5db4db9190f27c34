// Protobuf messages as records: generated ones, and ones known only by a descriptor that is there when the job starts.
// A job that includes this is built with millrace_add_job(… FORMATS protobuf), or PROTOS click.proto.
//
//   auto clicks = ctx.KafkaText({…}).Map([](std::string_view bytes) { return millrace::ParseProtobuf<Click>(bytes); });
//   clicks.ToKafka({…}, [](const Click& click) { return millrace::ToProtobuf(click); });
//
//   const auto schema = millrace::ProtobufSchema::FromFile("clicks.desc");   // protoc --include_imports -o clicks.desc
//   … const auto click = schema.Type("shop.Click"); records.Map([click](std::string_view bytes) {
//     return click.Fields<std::string, std::optional<std::int64_t>>(bytes, {"user.name", "items[0].price"});
//   });
//
// Messages travel between tasks by <millrace/codec_protobuf.h>, which comes with this. A path is names of fields with
// dots between, and [n] for an element. Types of fields: integers and enums (in the target's range), bool, float,
// double, std::string (text and bytes), std::vector of them for a repeated field, and std::optional: nothing for a
// field that has presence and is not there, or behind a message or an element that is not. Without std::optional that
// is an error, except for a field itself, which then has its default, as protobuf has it.
//
// Errors: FormatError for bytes that are no such message and for values out of range, which makes a bad record;
// std::invalid_argument for a schema, type or path that cannot be. The path is looked up for each record. Any thread.
#pragma once

#include <google/protobuf/arena.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/message.h>
#include <google/protobuf/message_lite.h>

#include <array>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "millrace/codec_protobuf.h"
#include "millrace/formats/format_error.h"
#include "millrace/formats/protobuf_path.h"

namespace millrace {
namespace detail {

inline void ParseMessage(std::string_view bytes, google::protobuf::MessageLite& into) {
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()) ||
      !into.ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    throw FormatError("", 0, "these " + std::to_string(bytes.size()) + " bytes are no message " + into.GetTypeName());
  }
  if (!into.IsInitialized()) {
    throw FormatError(into.InitializationErrorString(), 0, "missing in this message " + into.GetTypeName());
  }
}

}  // namespace detail

template <ProtobufMessage T>
void ParseProtobuf(std::string_view bytes, T& into) {
  detail::ParseMessage(bytes, into);
}
template <ProtobufMessage T>
T ParseProtobuf(std::string_view bytes) {
  T message;
  detail::ParseMessage(bytes, message);
  return message;
}

// Deterministic: equal messages give equal bytes.
template <ProtobufMessage T>
std::string ToProtobuf(const T& message) {
  if (!message.IsInitialized()) {
    throw FormatError(message.InitializationErrorString(), 0, "missing in a message " + message.GetTypeName());
  }
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    if (!message.SerializeToCodedStream(&coded)) {
      throw FormatError("", 0, "message " + message.GetTypeName() + " is over the 2 GiB that protobuf can write");
    }
  }
  return bytes;
}

// A message type of a schema. Copies share the schema.
class ProtobufType {
 public:
  template <class T>
  T Field(std::string_view bytes, std::string_view path) const {
    return std::get<0>(Fields<T>(bytes, {path}));
  }
  template <class... T>
  std::tuple<T...> Fields(std::string_view bytes, const std::array<std::string_view, sizeof...(T)>& paths) const {
    google::protobuf::Arena& arena = Arena();
    struct Reset {
      google::protobuf::Arena& arena;
      ~Reset() { arena.Reset(); }
    } reset{arena};
    google::protobuf::Message* const message = prototype_->New(&arena);
    detail::ParseMessage(bytes, *message);
    std::size_t next = 0;
    const auto read = [&]<class One>(std::type_identity<One>) {
      return detail::ReadProtobufField<One>(*message, paths[next++]);
    };
    return std::tuple<T...>{read(std::type_identity<T>())...};  // braces: in order
  }

  const google::protobuf::Descriptor& descriptor() const { return *prototype_->GetDescriptor(); }

 private:
  friend class ProtobufSchema;
  ProtobufType(std::shared_ptr<const void> schema, const google::protobuf::Message* prototype)
      : schema_(std::move(schema)), prototype_(prototype) {}

  // One a thread, with a first block that stays: a small message allocates nothing.
  static google::protobuf::Arena& Arena() {
    struct Held {
      std::unique_ptr<char[]> block = std::make_unique<char[]>(kBlock);
      google::protobuf::Arena arena{block.get(), kBlock};
    };
    thread_local Held held;
    return held.arena;
  }
  static constexpr std::size_t kBlock = 64 << 10;

  std::shared_ptr<const void> schema_;
  const google::protobuf::Message* prototype_;
};

// The types of a FileDescriptorSet, as protoc --include_imports --descriptor_set_out writes it.
class ProtobufSchema {
 public:
  // Read where the job is planned and on every node: a path that all of them have.
  static ProtobufSchema FromFile(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (!file.is_open() || file.bad()) throw std::invalid_argument("the protobuf schema " + path + " cannot be read");
    return FromBytes(bytes, path);
  }
  static ProtobufSchema FromBytes(std::string_view bytes, const std::string& name = "given") {
    google::protobuf::FileDescriptorSet files;
    if (!files.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || files.file_size() == 0) {
      throw std::invalid_argument("the protobuf schema " + name +
                                  " is no FileDescriptorSet; make it with protoc --include_imports "
                                  "--descriptor_set_out=FILE");
    }
    ProtobufSchema schema;
    for (const auto& file : files.file()) {
      detail::SchemaErrors errors;
      if (schema.shared_->pool.BuildFileCollectingErrors(file, &errors) == nullptr) {
        throw std::invalid_argument("the protobuf schema " + name + " does not fit together (" + errors.text +
                                    "); make it with protoc --include_imports");
      }
    }
    return schema;
  }

  ProtobufType Type(const std::string& full_name) const {
    const google::protobuf::Descriptor* const type = shared_->pool.FindMessageTypeByName(full_name);
    if (type == nullptr) {
      throw std::invalid_argument("the protobuf schema has no message " + full_name +
                                  "; write its full name, like shop.Click");
    }
    return ProtobufType(shared_, shared_->factory.GetPrototype(type));
  }

 private:
  struct Shared {
    google::protobuf::DescriptorPool pool;
    mutable google::protobuf::DynamicMessageFactory factory{&pool};
  };
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

}  // namespace millrace
