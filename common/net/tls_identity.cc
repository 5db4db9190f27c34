// Loading and judging an identity.
#include <algorithm>
#include <array>
#include <ctime>

#include "common/io/file.h"
#include "common/net/identity_checks.h"
#include "common/net/openssl.h"
#include "common/net/tls.h"

namespace millrace {
namespace {

constexpr std::uint64_t kPemBytesMax = 1 << 20;
constexpr std::array<std::string_view, 4> kRoles = {"driver", "executor", "runner", "client"};
constexpr std::string_view kScheme = "spiffe://";

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

// One or more non-empty segments of letters, digits, '.', '_' and '-'.
bool IsPath(std::string_view path) {
  bool segment_empty = true;
  for (char c : path) {
    if (c == '/' ? segment_empty : !IsNameCharacter(c)) return false;
    segment_empty = c == '/';
  }
  return !segment_empty;
}

absl::StatusOr<std::string> ReadPem(const std::string& path, std::string_view what) {
  if (path.empty()) return InvalidArgument("no file is given for ", what);
  absl::StatusOr<std::string> text = ReadFile(path, kPemBytesMax);
  if (!text.ok()) return Annotate(text.status(), "reading ", what);
  return text;
}

absl::Status CheckRole(const PeerName& name, std::string_view expected_role, const std::string& where) {
  if (expected_role.empty() || name.role == expected_role) return absl::OkStatus();
  return InvalidArgument(where, ": it is made out to ", name.Uri(), ", role ", name.role, ", but role ", expected_role,
                         " is needed here: give the certificate that was issued for this process");
}

absl::Status CheckUsages(X509* leaf, const PeerName& name, const std::string& where) {
  if ((X509_get_extension_flags(leaf) & EXFLAG_CA) != 0) {
    return InvalidArgument(where,
                           ": it is the certificate of a CA and cannot be used by a process: issue one with CA:false");
  }
  const bool client = X509_check_purpose(leaf, X509_PURPOSE_SSL_CLIENT, 0) == 1;
  const bool server = name.role == "client" || X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0) == 1;
  if (client && server) return absl::OkStatus();
  return InvalidArgument(where, ": its key usages do not allow TLS ", client ? "server" : "client",
                         " authentication: issue it with extendedKeyUsage clientAuth and serverAuth");
}

absl::StatusOr<PeerName> NameOf(const X509* leaf, const std::string& where) {
  const std::vector<std::string> uris = openssl::UriNames(leaf);
  if (uris.size() != 1) {
    return InvalidArgument(
        where, ": it has ", uris.size(),
        " URIs in its subject alternative name, but needs exactly one, spiffe://<cluster>/<role>/<id>");
  }
  absl::StatusOr<PeerName> name = ParsePeerName(uris[0]);
  if (!name.ok()) return Annotate(name.status(), where);
  return name;
}

absl::StatusOr<TlsIdentity> Judge(PemTriple pem, std::string_view expected_role) {
  MR_ASSIGN_OR_RETURN(const auto chain, CheckKeyAndChain(pem));
  X509* leaf = chain.front().get();
  TlsIdentity identity;
  MR_ASSIGN_OR_RETURN(identity.name, NameOf(leaf, pem.cert_from));
  MR_RETURN_IF_ERROR(CheckRole(identity.name, expected_role, pem.cert_from));
  MR_RETURN_IF_ERROR(CheckUsages(leaf, identity.name, pem.cert_from));
  identity.not_after = openssl::TimeOf(X509_get0_notAfter(leaf));
  identity.key_pem = std::move(pem.key);
  identity.chain_pem = std::move(pem.cert);
  identity.ca_pem = std::move(pem.ca);
  return identity;
}

}  // namespace

absl::StatusOr<PeerName> ParsePeerName(std::string_view uri) {
  const auto bad = [&](std::string_view why) {
    return InvalidArgument("'", uri.substr(0, 300),
                           "' is no name of a Millrace process (spiffe://<cluster>/<role>/<id>): ", why);
  };
  if (!uri.starts_with(kScheme)) return bad("it does not begin with spiffe://");
  if (uri.size() > 1024) return bad("it is longer than 1024 characters");
  const std::string_view rest = uri.substr(kScheme.size());
  const std::size_t role_at = rest.find('/');
  const std::size_t id_at = role_at == rest.npos ? rest.npos : rest.find('/', role_at + 1);
  if (id_at == rest.npos) return bad("a part is missing");
  PeerName name{std::string(rest.substr(0, role_at)), std::string(rest.substr(role_at + 1, id_at - role_at - 1)),
                std::string(rest.substr(id_at + 1))};
  if (!IsPath(name.cluster))
    return bad("the cluster is empty or has characters other than letters, digits, '.', '_' and '-'");
  if (!IsPath(name.id))
    return bad("the id is empty or has characters other than letters, digits, '.', '_', '-' and '/'");
  if (std::ranges::find(kRoles, name.role) == kRoles.end())
    return bad("the role must be driver, executor, runner or client");
  return name;
}

absl::StatusOr<PemTriple> ReadPemFiles(const TlsFiles& files) {
  PemTriple pem;
  MR_ASSIGN_OR_RETURN(pem.ca, ReadPem(files.ca, "the CA's certificate"));
  MR_ASSIGN_OR_RETURN(pem.cert, ReadPem(files.cert, "the certificate"));
  MR_ASSIGN_OR_RETURN(pem.key, ReadPem(files.key, "the private key"));
  pem.ca_from = Concat("CA certificate ", files.ca);
  pem.cert_from = Concat("certificate ", files.cert);
  pem.key_from = Concat("private key ", files.key);
  return pem;
}

absl::StatusOr<TlsIdentity> LoadIdentity(const TlsFiles& files, std::string_view expected_role) {
  MR_ASSIGN_OR_RETURN(PemTriple pem, ReadPemFiles(files));
  return Judge(std::move(pem), expected_role);
}

absl::StatusOr<TlsIdentity> MakeIdentity(std::string key_pem, std::string chain_pem, std::string ca_pem,
                                         std::string_view expected_role) {
  PemTriple pem;
  pem.key = std::move(key_pem);
  pem.cert = std::move(chain_pem);
  pem.ca = std::move(ca_pem);
  return Judge(std::move(pem), expected_role);
}

}  // namespace millrace
