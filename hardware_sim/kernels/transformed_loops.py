"""The loops of a kernel in a transformed domain, in C: the same for every transform.

:mod:`hardware_sim.kernels.transformed` puts the functions of a transform and its sizes before them.
"""

DRIVER = """
/* Copies of the part of a vector that is there, for channels that do not fill one. */
static void input_part(const float *const *source, int64_t at, int64_t width, vec *v, int64_t step,
                       int64_t turn) {
  float patch[SPAN][V];
  const float *inside[SPAN];
  memset(patch, 0, sizeof patch);
  for (int i = 0; i < SPAN; i++) {
    memcpy(patch[i], source[i] + at, width * sizeof(float));
    inside[i] = patch[i];
  }
  input_tile(inside, 0, v, step, turn);
}

static vec output_part(const vec *m, int64_t step, int64_t turn, vec bias, float *const *sink,
                       const float *const *add, int64_t at, int64_t relu, int64_t width) {
  float patch[TILE][V], more[TILE][V];
  float *inside[TILE];
  const float *added[TILE];
  memset(more, 0, sizeof more);
  for (int i = 0; i < TILE; i++) {
    inside[i] = patch[i];
    added[i] = more[i];
    if (add) memcpy(more[i], add[i] + at, width * sizeof(float));
  }
  const vec tainted = output_tile(m, step, turn, bias, inside, added, 0, relu);
  for (int i = 0; i < TILE; i++) memcpy(sink[i] + at, patch[i], width * sizeof(float));
  return tainted;
}

int run(const float *x, const float *u, const float *bias, float *y, float *scratch,
        const int64_t *g, const float *add) {
  ARGUMENTS
  const int64_t t0 = ceiling(out0, TILE0), t1 = ceiling(out1, TILE1), t2 = ceiling(out2, TILE2);
  const int64_t tiles = batch * t0 * t1 * t2, items = ceiling(tiles, block);
  const int64_t across = ceiling(channels, V), down = ceiling(outputs, N);
  const int64_t in_pixel = channels * groups, out_pixel = outputs * groups;
  const int64_t v_step = PARTS * across * block + 1, m_step = PARTS * panels * block * 2 + 1;
  const int64_t own = (POSITIONS * (v_step + m_step) + down * 2) * V;
  const int64_t depth = PARTS * across * V * N, panel = POSITIONS * PARTS * depth;
  float *const zeros = scratch;
  memset(zeros, 0, across * V * sizeof(float));
  int bad = 0;
#pragma omp parallel for collapse(3) num_threads(threads) schedule(static) reduction(| : bad)
  for (int64_t group = 0; group < groups; group++)
  for (int64_t item = 0; item < items; item++)
  for (int64_t split = 0; split < splits; split++) {
    float *const v = scratch + across * V + omp_get_thread_num() * own;
    float *const m = v + POSITIONS * v_step * V, *const drain = m + POSITIONS * m_step * V;
    const int64_t first = item * block, count = least(block, tiles - first);
    vec tainted = {0};

    for (int64_t t = 0; t < count; t++) {
      const int64_t tile = first + t;
      const int64_t a2 = tile % t2 * TILE2 - pad2, a1 = tile / t2 % t1 * TILE1 - pad1;
      const int64_t a0 = tile / (t2 * t1) % t0 * TILE0 - pad0, image = tile / (t2 * t1 * t0);
      const float *source[SPAN];
      for (int i0 = 0; i0 < SPAN0; i0++)
      for (int i1 = 0; i1 < SPAN1; i1++) {
        const int64_t b0 = a0 + i0, b1 = a1 + i1;
        const int inside = b0 >= 0 && b0 < in0 && b1 >= 0 && b1 < in1;
        const float *line = x + ((image * in0 + b0) * in1 + b1) * in2 * in_pixel + group * channels;
        for (int i2 = 0; i2 < SPAN2; i2++) {
          const int64_t b2 = a2 + i2;
          source[(i0 * SPAN1 + i1) * SPAN2 + i2] =
              inside && b2 >= 0 && b2 < in2 ? line + b2 * in_pixel : zeros;
        }
      }
      vec *to = (vec *)v + t;
      for (int64_t c = 0; c < across; c++, to += block) {
        const int64_t left = channels - c * V;
        if (left >= V) input_tile(source, c * V, to, v_step, across * block);
        else input_part(source, c * V, left, to, v_step, across * block);
      }
    }

    const int64_t end = down * (split + 1) / splits;
    for (int64_t q = down * split / splits; q < end; q += panels) {
      const int64_t some = least(panels, end - q), cuts = ceiling(count, ROWS);
      const float *b = u + (group * down + q) * panel;
      for (int64_t p = 0; p < POSITIONS; p++)
      for (int64_t j = 0; j < some; j++)
      for (int part = 0; part < PARTS; part++) {
        const float *next = b + depth;
        if (part + 1 == PARTS) next += j + 1 < some ? panel - PARTS * depth : -(some - 1) * panel;
        float *to = m + (p * m_step + (j * PARTS + part) * block * 2) * V;
        for (int64_t i = 0; i < cuts; i++) {
          const int64_t from = count * i / cuts, last = count * (i + 1) / cuts;
          /* Each cut fetches its share of the next weights; a single one has no time for more. */
          const float *soon = cuts > 1 ? next + depth / N * i / cuts * N : b;
          block_of[last - from](v + (p * v_step + from) * V, block * V, b, PARTS * across,
                                to + from * N, soon, cuts > 1 ? ceiling(N, cuts) : 0);
        }
        b = next;
      }
      for (int64_t t = 0; t < count; t++) {
        const int64_t tile = first + t;
        const int64_t a2 = tile % t2 * TILE2, a1 = tile / t2 % t1 * TILE1;
        const int64_t a0 = tile / (t2 * t1) % t0 * TILE0, image = tile / (t2 * t1 * t0);
        float *sink[TILE];
        const float *more[TILE];
        for (int i0 = 0; i0 < TILE0; i0++)
        for (int i1 = 0; i1 < TILE1; i1++) {
          const int64_t b0 = a0 + i0, b1 = a1 + i1;
          const int64_t line = ((image * out0 + b0) * out1 + b1) * out2 * out_pixel;
          for (int i2 = 0; i2 < TILE2; i2++) {
            const int64_t b2 = a2 + i2, to = line + b2 * out_pixel + group * outputs;
            const int64_t i = (i0 * TILE1 + i1) * TILE2 + i2;
            const int inside = b0 < out0 && b1 < out1 && b2 < out2;
            sink[i] = inside ? y + to : drain;
            more[i] = inside && add ? add + to : drain;
          }
        }
        for (int64_t j = 0; j < some * 2; j++) {
          const int64_t at = q * N + j * V, left = outputs - at;
          if (left <= 0) break;
          const vec *from = (vec *)m + (j / 2 * PARTS * block + t) * 2 + j % 2;
          const vec shift = load(bias + (group * down + q) * N + j * V);
          const float *const *also = add ? more : 0;
          tainted += left >= V
              ? output_tile(from, m_step, block * 2, shift, sink, also, at, relu)
              : output_part(from, m_step, block * 2, shift, sink, also, at, relu, left);
        }
      }
    }
    bad |= is_tainted(tainted);
  }
  return bad;
}
"""
