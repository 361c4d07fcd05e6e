//! Work that is cut into jobs and shared by threads, for what keeps processors busy: encoding and
//! decoding columns.

use std::sync::Mutex;
use std::thread;

/// Below this many rows starting threads takes longer than they save.
const ROWS_MIN: usize = 32_768;

/// Runs every job, on as many threads as there are processors if they are about enough `rows`; the
/// results in the order of the jobs. A result is absent only if its job panicked.
pub(crate) fn run_jobs<T, F>(jobs: Vec<F>, rows: usize) -> Vec<T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let threads = processors.min(jobs.len());
    if threads < 2 || rows < ROWS_MIN {
        return jobs.into_iter().map(|job| job()).collect();
    }

    // Whoever is free takes the next one, since some take many times as long as others.
    let mut results: Vec<Option<T>> = jobs.iter().map(|_| None).collect();
    let queue = Mutex::new(jobs.into_iter().zip(results.iter_mut()));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((job, result)) = next_of(&queue) {
                    *result = Some(job());
                }
            });
        }
    });
    drop(queue);
    results.into_iter().flatten().collect()
}

fn next_of<I: Iterator>(queue: &Mutex<I>) -> Option<I::Item> {
    queue.lock().ok()?.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_their_jobs() {
        let jobs: Vec<_> = (0..100_u64).map(|number| move || number * number).collect();
        let squares: Vec<u64> = (0..100).map(|number| number * number).collect();

        assert_eq!(run_jobs(jobs.clone(), ROWS_MIN), squares);
        assert_eq!(run_jobs(jobs, 1), squares);
    }
}
