// gRPC tells a failed connection as one long line; this finds the part that matters and says what to do about it.
#include <array>

#include "common/net/tls.h"

namespace millrace {
namespace {

struct Pattern {
  std::string_view sign;     // what gRPC's text holds
  std::string_view meaning;  // put behind the target
};

// The first that is found wins, so the special ones stand first.
constexpr std::array kPatterns = {
    Pattern{"certificate has expired", "its certificate has expired: issue a new one there"},
    Pattern{"certificate is not yet valid", "its certificate is not valid yet: compare the clocks of both machines"},
    Pattern{"alert certificate expired", "it refuses our certificate, which has expired: issue a new one"},
    Pattern{"alert unknown ca",
            "it refuses our certificate, which another CA issued: use the certificate of that cluster"},
    Pattern{"alert bad certificate", "it refuses our certificate: use the one that was issued for that cluster"},
    Pattern{"certificate required", "it wants a certificate and was given none"},
    Pattern{"CERTIFICATE_VERIFY_FAILED",
            "its certificate is not vouched for by our CA, or has expired: compare the CA files of both ends"},
    Pattern{"certificate verify failed",
            "its certificate is not vouched for by our CA, or has expired: compare the CA files of both ends"},
    // A signature that does not fit: another CA of the same name.
    Pattern{"asn1 encoding routines",
            "its certificate is not vouched for by our CA, or has expired: compare the CA files of both ends"},
    Pattern{"WRONG_VERSION_NUMBER", "it does not speak TLS: is this the right port?"},
    Pattern{"wrong version number", "it does not speak TLS: is this the right port?"},
    Pattern{"packet length too long", "it does not speak TLS: is this the right port?"},
    Pattern{"http request", "it does not speak TLS: is this the right port?"},
    Pattern{"unsupported protocol", "it does not offer TLS 1.3, which is needed"},
    Pattern{"alert protocol version", "it does not offer TLS 1.3, which is needed"},
    Pattern{"alert handshake failure", "no TLS 1.3 handshake is possible with it"},
    Pattern{"DNS resolution failed", "there is no such host: check the name"},
    Pattern{"Domain name not found", "there is no such host: check the name"},
    Pattern{"Name or service not known", "there is no such host: check the name"},
    Pattern{"Connection refused", "nothing listens there (connection refused): is it running, and is the port right?"},
    Pattern{"No route to host", "no route to that host: check the address and the network"},
    Pattern{"Network is unreachable", "the network is unreachable: check the address and the network"},
    Pattern{"Handshake read failed",
            "it closed the connection during the TLS handshake: does it take our certificate, and speak TLS?"},
    Pattern{"Handshaker shutdown",
            "it closed the connection during the TLS handshake: does it take our certificate, and speak TLS?"},
    Pattern{"handshake failed", "the TLS handshake failed"},
    Pattern{"Connection reset by peer", "it closed the connection: does it take our certificate?"},
    Pattern{"Broken pipe", "it closed the connection: does it take our certificate?"},
    Pattern{"Socket closed", "it closed the connection: does it take our certificate?"},
    Pattern{"keepalive", "it does not answer any more (keepalive)"},
    Pattern{"Deadline Exceeded", "no answer in time: is the address right, and is it alive?"},
    Pattern{"Connection timed out", "no answer in time: is the address right, and is it alive?"},
};

// What ServerNameVerifier said, without gRPC's wrapping.
std::string VerifierWords(std::string_view message) {
  const std::size_t begin = message.find("expected a certificate of spiffe://");
  if (begin == message.npos) return {};
  std::string_view words = message.substr(begin);
  words = words.substr(0, words.find_first_of("\"};\n"));
  return Concat("it is not who it should be: ", words);
}

}  // namespace

std::string ExplainConnectFailure(std::string_view message, std::string_view target) {
  if (const std::string words = VerifierWords(message); !words.empty()) return Concat(target, ": ", words);
  for (const Pattern& pattern : kPatterns) {
    if (message.find(pattern.sign) != message.npos) return Concat(target, ": ", pattern.meaning);
  }
  return Concat(target, ": ", message);
}

std::string ExplainConnectFailure(const grpc::Status& status, std::string_view target) {
  return ExplainConnectFailure(std::string_view(status.error_message()), target);
}

}  // namespace millrace
