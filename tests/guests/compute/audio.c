// Sound squeezed as telephones do: ADPCM of 4 bits (IMA), mu-law and A-law, and linear prediction
// with reflection coefficients in saturating 16-bit arithmetic (as GSM 06.10 has it). ITU-T G.711;
// IMA Digital Audio Focus, "Recommended Practices" (1992).
#include <math.h>

#include "compute.h"

enum { kSamples = 16000, kFrame = 160, kOrder = 8 };

static int16_t sound[kSamples], heard[kSamples];

static int16_t Saturated(int32_t value) {
  return (int16_t)(value > 32767 ? 32767 : value < -32768 ? -32768 : value);
}

// Three tones that drift, and noise: sines by a recurrence of integers, so that no library is
// asked.
static void MakeSound(void) {
  for (int tone = 0; tone < 3; ++tone) {
    int32_t c = 16384 - 400 * (tone + 1), s0 = 0, s1 = 2500 * (3 - tone);
    for (int i = 0; i < kSamples; ++i) {
      const int32_t s2 = (int32_t)(((int64_t)2 * c * s1) >> 14) - s0;
      s0 = s1;
      s1 = s2 > 12000 ? 12000 : s2 < -12000 ? -12000 : s2;
      if (i % 2000 == 1999) c -= 37;
      sound[i] = Saturated(sound[i] + s1 / 2);
    }
  }
  for (int i = 0; i < kSamples; ++i) sound[i] = Saturated(sound[i] + (int)(Random() % 301) - 150);
}

static uint64_t Noise(void) {  // of what was heard against what was said
  uint64_t sum = 0;
  for (int i = 0; i < kSamples; ++i) {
    const int64_t difference = sound[i] - heard[i];
    sum += (uint64_t)(difference * difference);
  }
  return sum / kSamples;
}

// --- ADPCM ---

static int step_sizes[89];

// The table is 7, rising by a tenth: made here as its authors made it, but for a few of its values.
static void MakeSteps(void) {
  double step = 7;
  for (int i = 0; i < 89; ++i, step *= 1.1) step_sizes[i] = (int)step;
}

typedef struct {
  int predicted, index;
} Adpcm;

static void Follow(Adpcm* state, unsigned code) {
  static const int kIndexMoves[8] = {-1, -1, -1, -1, 2, 4, 6, 8};
  const int step = step_sizes[state->index];
  int change = step >> 3;
  if ((code & 4) != 0) change += step;
  if ((code & 2) != 0) change += step >> 1;
  if ((code & 1) != 0) change += step >> 2;
  state->predicted = Saturated(state->predicted + ((code & 8) != 0 ? -change : change));
  state->index += kIndexMoves[code & 7];
  state->index = state->index < 0 ? 0 : state->index > 88 ? 88 : state->index;
}

static unsigned Choose(const Adpcm* state, int sample) {
  int difference = sample - state->predicted, step = step_sizes[state->index];
  unsigned code = difference < 0 ? 8 : 0;
  if (difference < 0) difference = -difference;
  for (unsigned bit = 4; bit != 0; bit >>= 1, step >>= 1) {
    if (difference < step) continue;
    code |= bit;
    difference -= step;
  }
  return code;
}

static void RunAdpcm(void) {
  static uint8_t packed[kSamples / 2];
  MakeSteps();
  Adpcm speaker = {0, 0}, listener = {0, 0};
  for (int i = 0; i < kSamples; ++i) {
    const unsigned code = Choose(&speaker, sound[i]);
    Follow(&speaker, code);
    packed[i / 2] |= (uint8_t)(code << (i % 2 * 4));
  }
  for (int i = 0; i < kSamples; ++i) {
    Follow(&listener, packed[i / 2] >> (i % 2 * 4) & 15);
    heard[i] = (int16_t)listener.predicted;
  }
  Tell("adpcm", Hash(kHashStart, packed, sizeof packed));
  Tell("noise", Noise());
}

// --- G.711 ---

static uint8_t MuLaw(int16_t sample) {
  const int sign = sample < 0 ? 0x80 : 0;
  int value = (sample < 0 ? -(int)sample : sample) + 132;
  if (value > 32767) value = 32767;
  const int exponent = 31 - __builtin_clz((unsigned)value) - 7;
  return (uint8_t)~(sign | exponent << 4 | (value >> (exponent + 3) & 15));
}
static int16_t FromMuLaw(uint8_t code) {
  code = (uint8_t)~code;
  const int value = (((code & 15) << 3) + 132) << (code >> 4 & 7);
  return (int16_t)((code & 0x80) != 0 ? 132 - value : value - 132);
}
static uint8_t ALaw(int16_t sample) {
  const int sign = sample < 0 ? 0 : 0x80;
  const int value = (sample < 0 ? ~sample : sample) >> 4;
  const int exponent = value < 32 ? 0 : 31 - __builtin_clz((unsigned)value) - 4;
  const int mantissa = exponent == 0 ? value >> 1 : value >> exponent & 15;
  return (uint8_t)((sign | exponent << 4 | mantissa) ^ 0x55);
}

static void RunLaws(void) {
  uint64_t mu = kHashStart, a = kHashStart;
  for (int i = 0; i < kSamples; ++i) {
    const uint8_t codes[2] = {MuLaw(sound[i]), ALaw(sound[i])};
    mu = Hash(mu, &codes[0], 1);
    a = Hash(a, &codes[1], 1);
    heard[i] = FromMuLaw(codes[0]);
  }
  Tell("mu-law", mu);
  Tell("a-law", a);
  Tell("noise", Noise());
}

// --- Linear prediction ---

static int16_t TimesRounded(int16_t a, int16_t b) {
  return Saturated(((int32_t)a * b + 16384) >> 15);
}
static int16_t Plus(int16_t a, int16_t b) { return Saturated((int32_t)a + b); }

// Schur's recursion over the autocorrelations gives the reflection coefficients.
static void Reflect(const int64_t correlation[kOrder + 1], int16_t reflection[kOrder]) {
  int16_t p[kOrder + 1], k[kOrder + 1] = {0};
  memset(reflection, 0, kOrder * sizeof *reflection);
  if (correlation[0] == 0) return;
  const int shift = 62 - __builtin_clzll((unsigned long long)correlation[0]) - 13;
  for (int i = 0; i <= kOrder; ++i) {
    p[i] = Saturated((int32_t)(shift >= 0 ? correlation[i] >> shift : correlation[i] << -shift));
    if (i > 0 && i < kOrder) k[i] = p[i];
  }
  for (int n = 0; n < kOrder; ++n) {
    const int16_t size = (int16_t)(p[1] < 0 ? -p[1] : p[1]);
    if (p[0] <= 0 || p[0] < size) return;
    const int32_t ratio = ((int32_t)size << 15) / p[0];
    const int16_t r = Saturated(p[1] > 0 ? -ratio : ratio);
    reflection[n] = r;
    p[0] = Plus(p[0], TimesRounded(p[1], r));
    for (int m = 1; m <= kOrder - 1 - n; ++m) {
      p[m] = Plus(p[m + 1], TimesRounded(k[m], r));
      k[m] = Plus(k[m], TimesRounded(p[m + 1], r));
    }
  }
}

static void RunPrediction(void) {
  uint64_t coefficients = kHashStart, residues = kHashStart, energy = 0;
  int16_t memory[kOrder] = {0};
  double gain = 0;
  for (int frame = 0; frame < kSamples / kFrame; ++frame) {
    const int16_t* const s = sound + frame * kFrame;
    int64_t correlation[kOrder + 1] = {0};
    for (int lag = 0; lag <= kOrder; ++lag)
      for (int i = lag; i < kFrame; ++i) correlation[lag] += (int64_t)s[i] * s[i - lag];
    int16_t reflection[kOrder];
    Reflect(correlation, reflection);
    coefficients = Hash(coefficients, reflection, sizeof reflection);
    uint64_t left = 0;
    for (int i = 0; i < kFrame; ++i) {  // a lattice filter
      int16_t forward = s[i], backward = s[i];
      for (int k = 0; k < kOrder; ++k) {
        const int16_t before = memory[k];
        memory[k] = backward;
        backward = Plus(before, TimesRounded(reflection[k], forward));
        forward = Plus(forward, TimesRounded(reflection[k], before));
      }
      residues = Hash(residues, &forward, sizeof forward);
      left += (uint64_t)((int32_t)forward * forward);
    }
    energy += left;
    if (left != 0) gain += log((double)correlation[0] / (double)left);
  }
  Tell("reflection", coefficients);
  Tell("residue", residues);
  Tell("energy", energy);
  printf("gain %.9f\n", gain / (kSamples / kFrame));
}

int main(void) {
  MakeSound();
  Tell("sound", Hash(kHashStart, sound, sizeof sound));
  RunAdpcm();
  RunLaws();
  RunPrediction();
  return 0;
}
