float shares[RULES], highest = -INFINITY, sum = 0.0f, scores[OUTPUTS] = {0.0f};
for (i = 0; i < RULES; i++) {
  shares[i] = 0.0f;
  for (j = 0; j < INPUTS; j++) {
    float away = x[j] - PREFIX_centres[i * INPUTS + j];
    away = fminf(fmaxf(away, PREFIX_lowest[i * INPUTS + j]), PREFIX_highest[i * INPUTS + j]);
    shares[i] += away * away * PREFIX_member_factors[i * INPUTS + j];
  }
  highest = fmaxf(highest, shares[i]);
}
for (i = 0; i < RULES; i++) {
  shares[i] = expf(shares[i] - highest);
  sum += shares[i];
}
for (i = 0; i < RULES; i++)
  for (k = 0; k < OUTPUTS; k++) {
    float says = PREFIX_constants[i * OUTPUTS + k];
    for (j = 0; j < INPUTS; j++)
      says += PREFIX_weights[(i * OUTPUTS + k) * INPUTS + j] * x[j];
    scores[k] += shares[i] / sum * says;
  }
for (k = 0; k < OUTPUTS; k++)
  x[k] = scores[k];
