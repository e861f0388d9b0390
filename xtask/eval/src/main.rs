//! Measures the quality of search: `cargo xtask eval`.

use std::{path::Path, process::ExitCode};

use clap::Parser as _;
use eval::{
    error::Error,
    headwords::{Figures, Shop},
    judged, labels,
    labels::{Half, Label},
    products,
};
use suite::{Figures as Recorded, Target, output};
use xtask::{
    Arguments, Command,
    arguments::{Eval, EvalHeadwords, EvalSearch},
};

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Error> {
    let Command::Eval(eval) = command else { return Err(suite::Error::OtherProgram.into()) };
    match eval {
        Eval::Search(options) => search(&options),
        Eval::Headwords(options) => headwords(&options),
    }
}

fn search(options: &EvalSearch) -> Result<(), Error> {
    let judgements = judged::read(&options.judgements)?;
    let (documents, ids) = products::read(&options.products)?;
    let index = products::index(documents)?;
    let quality = judged::measure(&index, &judgements, &ids)?;
    let mut figures = Recorded::default();
    figures.record("queries", quality.queries, Target::None);
    figures.record("ndcg_at_10", quality.ndcg_at_10, Target::None);
    figures.record("zero_share", quality.zero_share, Target::None);
    figures.record("typo_ndcg_at_10", quality.typo_ndcg_at_10, Target::None);
    Ok(figures.write(options.json.as_deref())?)
}

fn headwords(options: &EvalHeadwords) -> Result<(), Error> {
    let labels = labels::read(&labels::path())?;
    let shop = Shop::build(sample_catalogue::DEFAULT_COUNT)?;
    let half = if options.held_back { Half::HeldBack } else { Half::Tuning };
    let part: Vec<&Label> =
        labels.iter().filter(|label| options.all || label.half == half).collect();
    if options.misses {
        print_misses(&shop, &part)?;
    }
    write(&Figures::measure(&shop, part)?, options.json.as_deref())
}

fn print_misses(shop: &Shop, labels: &[&Label]) -> Result<(), Error> {
    for label in labels.iter().filter(|label| label.is_sold()) {
        let outcome = shop.search(label)?;
        if outcome.recall < 0.99 || outcome.category_precision < 0.99 {
            output::line(format!(
                "  {:<28} {:<10} recall {:.2}   category {:.2}",
                label.query, label.kind, outcome.recall, outcome.category_precision
            ));
        }
    }
    Ok(())
}

fn write(measured: &Figures, json: Option<&Path>) -> Result<(), Error> {
    let mut figures = Recorded::default();
    let category = measured.category_precision_at_8.get();
    figures.record("category_precision_at_8", category, Target::AtLeast(0.95));
    figures.record("zero_share", measured.zero_share.get(), Target::AtMost(0.01));
    figures.record("zh_recall_at_10", measured.zh_recall_at_10.get(), Target::AtLeast(0.95));
    figures.record("en_recall_at_10", measured.en_recall_at_10.get(), Target::None);
    let pinyin = measured.pinyin_recall_at_10.get();
    figures.record("pinyin_recall_at_10", pinyin, Target::AtLeast(0.9));
    figures.record("typo_recall_at_10", measured.typo_recall_at_10.get(), Target::AtLeast(0.9));
    figures.record("unsold_honest", measured.unsold_honest.get(), Target::None);
    Ok(figures.write(json)?)
}
