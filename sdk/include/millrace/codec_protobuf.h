// Codec for protobuf messages: include it in a job that exchanges them, and link the job with protobuf. Nothing else of
// the SDK needs it.
//
//   #include <millrace/codec_protobuf.h>
//   #include "click.pb.h"
//   clicks.Map([](const Click& c) { return std::pair(c.user(), c); }).GroupByKey()
//
// Messages are written deterministically (map fields sorted), so recomputed blocks compare equal. Errors: Encode throws
// CodecError for a message over 2 GiB or, in proto2, without a required field; Decode throws it for bytes that are no
// such message.
#pragma once

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message_lite.h>

#include <concepts>
#include <limits>
#include <string>
#include <string_view>

#include "millrace/codec.h"

namespace millrace {

template <class T>
concept ProtobufMessage = std::derived_from<T, google::protobuf::MessageLite>;

template <ProtobufMessage T>
struct Codec<T> {
  static void Encode(const T& value, ByteWriter& out) {
    if (!value.IsInitialized()) {
      throw CodecError("message " + value.GetTypeName() +
                       " lacks required fields: " + value.InitializationErrorString());
    }
    std::string bytes;
    {
      google::protobuf::io::StringOutputStream stream(&bytes);
      google::protobuf::io::CodedOutputStream coded(&stream);
      coded.SetSerializationDeterministic(true);
      if (!value.SerializeToCodedStream(&coded)) {
        throw CodecError("message " + value.GetTypeName() + " is too large to be sent (2 GiB)");
      }
    }
    out.Text(bytes);
  }

  static T Decode(ByteReader& in) {
    const std::string_view bytes = in.Text();
    T value;
    if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()) ||
        !value.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      throw CodecError("encoded data is damaged or of another type: it is no message " + value.GetTypeName());
    }
    return value;
  }
};

}  // namespace millrace
