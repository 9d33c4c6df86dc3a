//! L2-regularised support vector machines with squared hinge loss, one for each label against the others, all at once.
//!
//! Dual coordinate descent: Hsieh, Chang, Lin, Keerthi & Sundararajan, "A dual coordinate descent method for
//! large-scale linear SVM", ICML 2008. Labels lie side by side, so that a row is read once for all of them.

use super::corpus::Corpus;
use super::matrix::Matrix;
use super::random::Random;

/// Labels are worked on in groups of so many.
pub(super) const LANES: usize = 8;
/// Rounds over the examples, at most.
const MOST_ROUNDS: usize = 20;
/// Training ends when no coordinate's slope is steeper.
const SLOPE: f32 = 0.08;

type Lane = [f32; LANES];

/// What was trained: weights for each column and label.
#[derive(Debug, Clone, Default)]
pub(super) struct Weights {
    /// Groups of labels.
    blocks: usize,
    lanes: Vec<Lane>,
    /// The score each label begins with.
    bias: Vec<Lane>,
}

/// Which side of each label an example is on: 1, -1, or 0 where nothing is known.
fn sides(corpus: &Corpus<'_>, example: usize, blocks: usize, sides: &mut Vec<Lane>) {
    sides.clear();
    sides.resize(blocks, [0.0; LANES]);
    let Some(row) = corpus.rows.get(example) else { return };
    let mut set = |label: usize, side: f32| {
        if let Some(own) = sides.get_mut(label / LANES).and_then(|lane| lane.get_mut(label % LANES)) {
            *own = side;
        }
    };
    match row.label {
        Some(own) => (0..corpus.labels).for_each(|label| set(label, if label == own { 1.0 } else { -1.0 })),
        None => row.not.iter().for_each(|label| set(*label, -1.0)),
    }
}

impl Weights {
    /// Trains. `cost` is what an error costs against large weights, for rows of the mean length one; `balance` is the
    /// power by which rare labels count more.
    pub(super) fn train(
        corpus: &Corpus<'_>,
        matrix: &Matrix,
        columns: usize,
        (cost, balance): (f64, f64),
        seed: u64,
    ) -> Self {
        let blocks = corpus.labels.div_ceil(LANES);
        let count = matrix.len();
        let squares: Vec<f32> =
            (0..count).map(|at| matrix.row(at).iter().map(|(_, value)| value * value).sum::<f32>()).collect();
        let mean = squares.iter().map(|square| f64::from(*square)).sum::<f64>() / count.max(1) as f64;
        // The bias is a column like any other, of a typical row's length.
        let edge = (mean.max(1e-9) * 0.1).sqrt() as f32;
        let cost = (cost / mean.max(1e-9)) as f32;
        let favour = favour(corpus, matrix, blocks, balance);
        let mut own = Self { blocks, lanes: vec![[0.0; LANES]; columns * blocks], bias: vec![[0.0; LANES]; blocks] };
        let mut duals = vec![[0_f32; LANES]; count * blocks];
        let mut order: Vec<usize> = (0..count).collect();
        let mut random = Random::new(seed);
        let (mut scores, mut steps, mut side) = (Vec::new(), vec![[0.0; LANES]; blocks], Vec::new());
        for _ in 0..MOST_ROUNDS {
            random.shuffle(&mut order);
            let mut steepest = 0_f32;
            for at in &order {
                let (Some(square), Some((example, weight))) = (squares.get(*at), matrix.samples.get(*at)) else {
                    continue;
                };
                let row = matrix.row(*at);
                sides(corpus, *example, blocks, &mut side);
                own.score(row, edge, &mut scores);
                let Some(duals) = duals.get_mut(at * blocks..(at + 1) * blocks) else { continue };
                let whole = square + edge * edge;
                let mut moved = false;
                for ((dual, (score, side)), (step, favour)) in
                    duals.iter_mut().zip(scores.iter().zip(&side)).zip(steps.iter_mut().zip(&favour))
                {
                    for lane in 0..LANES {
                        let (side, old) = (side[lane], dual[lane]);
                        let dear = cost * weight * if side > 0.0 { favour[lane] } else { 1.0 };
                        let slack = 0.5 / dear;
                        let slope = side * score[lane] - 1.0 + old * slack;
                        let new = (old - slope / (whole + slack)).max(0.0);
                        let step_of = if side == 0.0 { 0.0 } else { new - old };
                        let pull = if side == 0.0 || (old == 0.0 && slope > 0.0) { 0.0 } else { slope.abs() };
                        steepest = steepest.max(pull);
                        dual[lane] = old + step_of;
                        step[lane] = step_of * side;
                        moved |= step_of != 0.0;
                    }
                }
                if moved {
                    own.add(row, edge, &steps);
                }
            }
            if steepest < SLOPE {
                break;
            }
        }
        for lane in own.bias.iter_mut().flatten() {
            *lane *= edge;
        }
        own
    }

    fn score(&self, row: &[(u32, f32)], edge: f32, scores: &mut Vec<Lane>) {
        scores.clear();
        scores.extend(self.bias.iter().map(|lane| lane.map(|bias| bias * edge)));
        if let [score] = scores.as_mut_slice() {
            for (column, value) in row {
                if let Some(lane) = self.lanes.get(*column as usize) {
                    for (sum, weight) in score.iter_mut().zip(lane) {
                        *sum += value * weight;
                    }
                }
            }
            return;
        }
        for (column, value) in row {
            let from = *column as usize * self.blocks;
            let lanes = self.lanes.get(from..from + self.blocks).unwrap_or_default();
            for (score, lane) in scores.iter_mut().zip(lanes) {
                for (sum, weight) in score.iter_mut().zip(lane) {
                    *sum += value * weight;
                }
            }
        }
    }

    fn add(&mut self, row: &[(u32, f32)], edge: f32, steps: &[Lane]) {
        for (column, value) in row {
            let from = *column as usize * self.blocks;
            let lanes = self.lanes.get_mut(from..from + self.blocks).unwrap_or_default();
            for (lane, step) in lanes.iter_mut().zip(steps) {
                for (weight, step) in lane.iter_mut().zip(step) {
                    *weight += value * step;
                }
            }
        }
        for (lane, step) in self.bias.iter_mut().zip(steps) {
            for (bias, step) in lane.iter_mut().zip(step) {
                *bias += edge * step;
            }
        }
    }

    /// The scores of a row for each label.
    pub(super) fn scores(&self, row: &[(u32, f32)], labels: usize) -> Vec<f32> {
        let mut scores = Vec::new();
        self.score(row, 1.0, &mut scores);
        scores.into_iter().flatten().take(labels).collect()
    }

    /// What each label begins with.
    pub(super) fn bases(&self, labels: usize) -> Vec<f32> {
        self.bias.iter().flatten().take(labels).copied().collect()
    }

    /// The weights of a column for each label.
    pub(super) fn column(&self, column: usize, labels: usize) -> impl Iterator<Item = f32> + '_ {
        let lanes = self.lanes.get(column * self.blocks..(column + 1) * self.blocks).unwrap_or_default();
        lanes.iter().flatten().take(labels).copied()
    }

    /// How much each column moves the scores of these rows: the spread of its weights over the labels, times the
    /// energy it has in them.
    pub(super) fn strength(&self, matrix: &Matrix, columns: usize, labels: usize) -> Vec<f64> {
        let mut energy = vec![0_f64; columns];
        for at in 0..matrix.len() {
            for (column, value) in matrix.row(at) {
                if let Some(sum) = energy.get_mut(*column as usize) {
                    *sum += f64::from(*value).powi(2);
                }
            }
        }
        energy
            .iter()
            .enumerate()
            .map(|(column, energy)| {
                let mean = self.column(column, labels).map(f64::from).sum::<f64>() / labels.max(1) as f64;
                let spread: f64 = self.column(column, labels).map(|weight| (f64::from(weight) - mean).powi(2)).sum();
                spread * energy
            })
            .collect()
    }
}

/// How much more the examples of each label count than those of a label of mean size.
fn favour(corpus: &Corpus<'_>, matrix: &Matrix, blocks: usize, balance: f64) -> Vec<Lane> {
    let mut counts = vec![0_f64; blocks * LANES];
    for (example, weight) in &matrix.samples {
        let label = corpus.rows.get(*example).and_then(|row| row.label);
        if let Some(count) = label.and_then(|label| counts.get_mut(label)) {
            *count += f64::from(*weight);
        }
    }
    let mean = counts.iter().sum::<f64>() / corpus.labels.max(1) as f64;
    let (chunks, _) = counts.as_chunks::<LANES>();
    chunks.iter().map(|chunk| chunk.map(|count| (mean / count.max(1.0)).powf(balance) as f32)).collect()
}
