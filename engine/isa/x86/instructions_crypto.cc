// Rows of AES, PCLMULQDQ and SHA. Which of two twins a block's handlers are is decided when the
// block is decoded; their results are equal.

#include "engine/isa/x86/crypto_aes.h"
#include "engine/isa/x86/crypto_multiply.h"
#include "engine/isa/x86/crypto_sha.h"
#include "engine/isa/x86/host_features.h"
#include "engine/isa/x86/instruction_table.h"
#include "engine/isa/x86/sse4_shapes.h"
#include "engine/isa/x86/sse_shapes.h"
#include "engine/isa/x86/vex_shapes.h"

namespace glovebox::engine::x86 {
namespace {

template <bool HostFeatures::* kFeature, const Lower& kOnHost, const Lower& kInSoftware>
constexpr Lower ByHost = [](Emitter& emitter, const Instruction& instruction) {
  return (ThisHost().*kFeature ? kOnHost : kInSoftware)(emitter, instruction);
};
template <typename Host, typename Software>
constexpr Lower Aes = ByHost<&HostFeatures::aes, Vector<Host>, Vector<Software>>;
template <typename Host, typename Software>
constexpr Lower VexAes = ByHost<&HostFeatures::aes, Vex<OneLane<Host>>, Vex<OneLane<Software>>>;
template <typename Host, typename Software>
constexpr Lower Sha = ByHost<&HostFeatures::sha, Vector<Host>, Vector<Software>>;

constexpr InstructionRow kRows[] = {
    {ZYDIS_MNEMONIC_AESENC, Aes<HostAesEncrypt, SoftwareAesEncrypt>},
    {ZYDIS_MNEMONIC_AESENCLAST, Aes<HostAesEncryptLast, SoftwareAesEncryptLast>},
    {ZYDIS_MNEMONIC_AESDEC, Aes<HostAesDecrypt, SoftwareAesDecrypt>},
    {ZYDIS_MNEMONIC_AESDECLAST, Aes<HostAesDecryptLast, SoftwareAesDecryptLast>},
    {ZYDIS_MNEMONIC_AESIMC, Aes<HostAesInverseMix, SoftwareAesInverseMix>},
    {ZYDIS_MNEMONIC_AESKEYGENASSIST, ByHost<&HostFeatures::aes, VectorImmediate<HostAesKeyAssist>,
                                            VectorImmediate<SoftwareAesKeyAssist>>},
    {ZYDIS_MNEMONIC_PCLMULQDQ, ByHost<&HostFeatures::pclmul, VectorImmediate<HostCarrylessMultiply>,
                                      VectorImmediate<SoftwareCarrylessMultiply>>},
    {ZYDIS_MNEMONIC_VAESENC, VexAes<HostAesEncrypt, SoftwareAesEncrypt>},
    {ZYDIS_MNEMONIC_VAESENCLAST, VexAes<HostAesEncryptLast, SoftwareAesEncryptLast>},
    {ZYDIS_MNEMONIC_VAESDEC, VexAes<HostAesDecrypt, SoftwareAesDecrypt>},
    {ZYDIS_MNEMONIC_VAESDECLAST, VexAes<HostAesDecryptLast, SoftwareAesDecryptLast>},
    {ZYDIS_MNEMONIC_VAESIMC, VexAes<HostAesInverseMix, SoftwareAesInverseMix>},
    {ZYDIS_MNEMONIC_VAESKEYGENASSIST,
     ByHost<&HostFeatures::aes, VexImmediate<OneLane<HostAesKeyAssist>>,
            VexImmediate<OneLane<SoftwareAesKeyAssist>>>},
    {ZYDIS_MNEMONIC_VPCLMULQDQ,
     ByHost<&HostFeatures::pclmul, VexImmediate<OneLane<HostCarrylessMultiply>>,
            VexImmediate<OneLane<SoftwareCarrylessMultiply>>>},
    {ZYDIS_MNEMONIC_SHA1RNDS4, ByHost<&HostFeatures::sha, VectorImmediate<HostSha1Rounds>,
                                      VectorImmediate<SoftwareSha1Rounds>>},
    {ZYDIS_MNEMONIC_SHA1NEXTE, Sha<HostSha1NextE, SoftwareSha1NextE>},
    {ZYDIS_MNEMONIC_SHA1MSG1, Sha<HostSha1Message1, SoftwareSha1Message1>},
    {ZYDIS_MNEMONIC_SHA1MSG2, Sha<HostSha1Message2, SoftwareSha1Message2>},
    {ZYDIS_MNEMONIC_SHA256RNDS2,
     ByHost<&HostFeatures::sha, ByXmm0<HostSha256Rounds>, ByXmm0<SoftwareSha256Rounds>>},
    {ZYDIS_MNEMONIC_SHA256MSG1, Sha<HostSha256Message1, SoftwareSha256Message1>},
    {ZYDIS_MNEMONIC_SHA256MSG2, Sha<HostSha256Message2, SoftwareSha256Message2>},
};

}  // namespace

std::span<const InstructionRow> CryptoRows() { return kRows; }

}  // namespace glovebox::engine::x86
