//! Budgets, repeated errors, silent programs, candidates, foreign code, and what an explanation names.

use super::*;
use crate::engine::Wanted;

const OTHER: &str = "I read it.\n```python\nother()\n```\n";

fn wanting(wanted: Wanted) -> Ask {
    Ask { effort: Effort::default().with(wanted).unwrap(), ..ask() }
}

/// Answers in a workspace with one file; the programs and endings are as in [`story`].
async fn told(ask: Ask, replies: &[(Purpose, &str)], endings: Vec<Ending>) -> Story {
    let place = tempfile::tempdir().unwrap();
    let workspace = place.path().join("data");
    std::fs::create_dir(&workspace).unwrap();
    std::fs::write(workspace.join("penguins.csv"), "species,body_mass_g\nAdelie,3700\nGentoo,5000\n").unwrap();
    story_of(Ask { workspace, ..ask }, replies, endings, &CancellationToken::new()).await
}

#[tokio::test]
async fn the_same_error_after_another_program_ends_the_repairs() {
    let (second, third) = (repair("second()"), repair("third()"));
    let replies = [FIRST, (Purpose::Repair, second.as_str()), (Purpose::Repair, third.as_str())];
    let story = story(&replies, vec![raised("KeyError"), raised("KeyError"), GOOD]).await;
    let answer = story.answer();
    assert_eq!((story.jobs.len(), answer.attempts.len()), (2, 2));
    assert!(answer.explanation.contains("ended with the same error (KeyError: 'mass')"), "{}", answer.explanation);
}

#[tokio::test]
async fn a_program_that_shows_nothing_is_repaired() {
    let second = repair("print(1)");
    let silent = Ending::Exited { code: 0 };
    let replies = [FIRST, (Purpose::Repair, second.as_str()), EXPLAIN];
    let workspace = tempfile::tempdir().unwrap();
    let ask = Ask { workspace: workspace.path().into(), ..ask() };
    let script = Script { silent: 1.into(), ..Script::of(vec![silent, GOOD]) };
    let story = story_with(script, ask, &replies, &CancellationToken::new()).await;
    let answer = story.answer();
    assert_eq!(answer.attempts.len(), 2);
    assert!(answer.attempts[0].error.as_deref().is_some_and(|error| error.contains("showed nothing")));
    assert_eq!((answer.attempts[0].ending.as_str(), answer.attempts[1].error.as_deref()), ("exited", None));
    let prompt = story.last_prompt(Purpose::Repair);
    assert!(
        prompt.contains("it ended well but showed nothing") && prompt.contains("Print the key numbers"),
        "{prompt}"
    );
}

#[tokio::test]
async fn a_budget_of_tokens_or_money_ends_the_answer_with_what_there_is() {
    let second = repair("second()");
    let replies = [FIRST, (Purpose::Repair, second.as_str()), EXPLAIN];
    // Each reply uses 15 tokens and costs 0.2 cents.
    for wanted in [
        Wanted { max_tokens: Some(10), ..Wanted::default() },
        Wanted { max_cost_usd: Some(0.001), ..Wanted::default() },
    ] {
        let story = told(wanting(wanted), &replies, vec![raised("KeyError"), GOOD]).await;
        let answer = story.answer();
        assert_eq!((story.asked.len(), answer.attempts.len()), (1, 1), "{wanted:?}");
        assert!(answer.explanation.contains("no further attempt: the answer has"), "{}", answer.explanation);
        assert!(answer.outcome.is_some());
    }
    let story = told(wanting(Wanted { max_tokens: Some(20), ..Wanted::default() }), &replies, vec![GOOD]).await;
    assert_eq!(story.asked.len(), 2);
    let story = told(wanting(Wanted { max_tokens: Some(15), ..Wanted::default() }), &replies, vec![GOOD]).await;
    let answer = story.answer();
    assert_eq!(story.asked.len(), 1);
    assert!(answer.explanation.contains("no explanation by the model: the answer has used 15 tokens"));
    assert!(answer.explanation.contains("mean 4.2"), "the result is missing: {}", answer.explanation);
}

/// A model that never answers.
struct Silent;

#[async_trait::async_trait]
impl Llm for Silent {
    fn name(&self) -> &str {
        "silent"
    }

    async fn complete(&self, _: &Completion, _: &mut (dyn for<'t> FnMut(&'t str) + Send)) -> Result<Reply, LlmError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_model_that_never_answers_costs_the_seconds_of_the_budget() {
    let ask = wanting(Wanted { max_seconds: Some(1), ..Wanted::default() });
    let script = Script::of(vec![]);
    let answer =
        answer_with(&script, &script, Arc::new(Silent), &ask, &mut |_| {}, &CancellationToken::new()).await.unwrap();
    assert!(answer.outcome.is_none() && answer.explanation.contains("the 1 seconds"), "{}", answer.explanation);
}

#[tokio::test]
async fn of_several_candidates_the_best_is_kept_and_run_again() {
    let ask = wanting(Wanted { candidates: Some(3), ..Wanted::default() });
    let third = "```python\nthird()\n```";
    let replies = [FIRST, (Purpose::Generate, OTHER), (Purpose::Generate, third), EXPLAIN];
    // The first raises, the others end well; the third uses the least fuel.
    let story = told(ask, &replies, vec![raised("KeyError"), GOOD, GOOD, GOOD]).await;
    let answer = story.answer();
    assert_eq!(answer.program, "third()\n");
    let candidates = &answer.details.candidates;
    let kept: Vec<_> = candidates.iter().map(|one| (one.ending.as_str(), one.kept)).collect();
    assert_eq!(kept, [("raised", false), ("exited", false), ("exited", true)]);
    assert_eq!(candidates[1].artifacts, ["mass.png"]);
    assert!(candidates[0].error.as_deref() == Some("KeyError: 'mass'") && candidates[0].program == "first()\n");
    assert_eq!((story.jobs.len(), answer.attempts.len()), (4, 1));
    // Each candidate had a copy of the files, and the winner the files themselves.
    let places: std::collections::HashSet<_> = story.jobs.iter().map(|job| &job.workspace).collect();
    assert_eq!(places.len(), 4);
    assert!(story.jobs[..3].iter().all(|job| job.workspace != story.jobs[3].workspace && !job.workspace.exists()));
    assert_eq!(story.copied, [true, true, true, true]);
    let candidates = story.events.iter().filter(|event| matches!(event, AnswerEvent::Candidate { of: 3, .. })).count();
    assert_eq!(candidates, 3);
}

#[tokio::test]
async fn candidates_that_are_the_same_are_run_once() {
    let ask = wanting(Wanted { candidates: Some(2), ..Wanted::default() });
    let story = told(ask, &[FIRST, FIRST, EXPLAIN], vec![GOOD]).await;
    assert_eq!((story.jobs.len(), story.answer().details.candidates.len()), (1, 0));
}

#[tokio::test]
async fn code_in_another_language_is_sent_back_and_never_run() {
    let r = "```r\nlibrary(dplyr)\ndf <- read.csv('penguins.csv')\n```";
    let second = repair("second()");
    let replies = [(Purpose::Generate, r), (Purpose::Repair, second.as_str()), EXPLAIN];
    let story = told(ask(), &replies, vec![GOOD]).await;
    let answer = story.answer();
    assert_eq!((answer.program.as_str(), story.jobs.len(), answer.attempts.len()), ("second()\n", 1, 2));
    assert_eq!(answer.attempts[0].ending, "not_run");
    assert_eq!(answer.attempts[0].error.as_deref(), Some("the reply holds R code, and only Python runs here"));
    assert!(story.last_prompt(Purpose::Repair).contains("the reply holds R code"));
    // Twice is enough.
    let story = told(ask(), &[(Purpose::Generate, r), (Purpose::Repair, r)], vec![]).await;
    let answer = story.answer();
    assert!(answer.outcome.is_none() && answer.explanation.contains("R code"), "{}", answer.explanation);
    assert_eq!((story.asked.len(), answer.attempts.len()), (2, 2));
}

#[tokio::test]
async fn a_repair_that_is_a_patch_is_applied() {
    let patch = "It was misspelled.\n```diff\n-first()\n+second()\n```";
    let story = told(ask(), &[FIRST, (Purpose::Repair, patch), EXPLAIN], vec![raised("NameError"), GOOD]).await;
    assert_eq!(story.answer().program, "second()\n");
}

#[tokio::test]
async fn a_missing_column_and_a_missing_package_come_with_what_there_is() {
    let second = repair("second()");
    let replies = [FIRST, (Purpose::Repair, second.as_str()), EXPLAIN];
    let story = told(ask(), &replies, vec![raised("KeyError"), GOOD]).await;
    let prompt = story.last_prompt(Purpose::Repair);
    assert!(prompt.contains("there is no column \"mass\"; the nearest are \"body_mass_g\""), "{prompt}");
    assert!(prompt.contains("\"penguins.csv\": \"species\" (text), \"body_mass_g\" (integer)"), "{prompt}");
    let missing = Ending::Raised {
        exception: "ModuleNotFoundError".into(),
        message: "No module named 'polars'".into(),
        traceback: "Traceback (most recent call last):\n  File \"main.py\", line 1, in <module>\n    first()\nModuleNotFoundError: No module named 'polars'".into(),
    };
    let story = told(ask(), &replies, vec![missing, GOOD]).await;
    let prompt = story.last_prompt(Purpose::Repair);
    assert!(prompt.contains("use pandas") && prompt.contains(">    1 | first()"), "{prompt}");
}

#[tokio::test]
async fn an_explanation_that_names_what_does_not_exist_is_corrected_once_and_then_marked() {
    let wrong = (Purpose::Explain, "Read `penguins.csv` by `species` and `island`; see islands.png.");
    let right = (Purpose::Explain, "Read `penguins.csv` by `species`; see `mass.png`.");
    let story = told(ask(), &[FIRST, wrong, right], vec![GOOD]).await;
    let answer = story.answer();
    assert_eq!(answer.explanation, right.1);
    let checked = answer.details.checked.as_ref().unwrap();
    assert_eq!((checked.named, checked.missing.len(), checked.corrected), (3, 0, true));
    let prompt = story.last_prompt(Purpose::Explain);
    assert!(prompt.contains("island\nislands.png"), "{prompt}");
    let story = told(ask(), &[FIRST, wrong, wrong], vec![GOOD]).await;
    let answer = story.answer();
    assert!(answer.explanation.contains("island *(does not exist)*; see islands.png *(does not exist)*"));
    assert_eq!(answer.details.checked.as_ref().unwrap().missing, ["island", "islands.png"]);
    assert_eq!(story.asked.len(), 3);
}

#[tokio::test]
async fn the_explanation_is_asked_with_no_more_data_than_the_sample_and_the_outcome() {
    let place = tempfile::tempdir().unwrap();
    let mut table = String::from("species,note\n");
    for row in 0..20_000 {
        table.push_str(&format!("Adelie,secret-{row:05}-{}\n", row * 7919 % 20_000));
    }
    std::fs::write(place.path().join("penguins.csv"), table).unwrap();
    let ask = Ask { workspace: place.path().into(), ..ask() };
    let story = story_of(ask, &[FIRST, EXPLAIN], vec![GOOD], &CancellationToken::new()).await;
    let asked = |purpose: Purpose| {
        let asked = story.asked.iter().find(|asked| asked.purpose == purpose).unwrap();
        asked.messages.iter().map(|message| message.content.as_str()).collect::<Vec<_>>().join("\n")
    };
    let secrets = |text: &str| -> std::collections::BTreeSet<String> {
        text.match_indices("secret-").filter_map(|(at, _)| text.get(at..at + 12)).map(str::to_owned).collect()
    };
    let (sample, explain) = (secrets(&asked(Purpose::Generate)), secrets(&asked(Purpose::Explain)));
    assert!(!sample.is_empty() && sample.len() < 64, "{} rows are in the sample", sample.len());
    assert!(explain.is_subset(&sample), "{explain:?}");
}

#[tokio::test]
async fn the_prompt_speaks_the_language_of_the_image() {
    let image = Ask { language: Language::JavaScript, image: "javascript".into(), packages: BTreeMap::new(), ..ask() };
    let reply = (Purpose::Generate, "```js\nconsole.log(1)\n```");
    let story = told(image, &[reply, EXPLAIN], vec![GOOD]).await;
    assert_eq!(story.answer().program, "console.log(1)\n");
    let system = &story.asked[0].messages[0].content;
    assert!(
        system.contains("```javascript") && !system.contains("Python") && !system.contains("DataFrame"),
        "{system}"
    );
    let plain = Ask { image: "rustpython".into(), packages: BTreeMap::new(), ..ask() };
    let story = told(plain, &[FIRST, EXPLAIN], vec![GOOD]).await;
    let system = &story.asked[0].messages[0].content;
    assert!(system.contains("no pandas") && !system.contains("DataFrame"), "{system}");
    let has_media = |story: &Story| story.asked[0].messages[0].content.contains("from glovebox import media");
    assert_eq!(has_media(&told(ask(), &[FIRST, EXPLAIN], vec![GOOD]).await), cfg!(feature = "media"));
    let mut strict = ask();
    strict.limits.services.clear();
    assert!(!has_media(&told(strict, &[FIRST, EXPLAIN], vec![GOOD]).await));
}

#[tokio::test]
async fn several_suggested_programs_are_kept_for_the_user() {
    let two = "Fast:\n```python\nprint('the fast way')\n```\nExact:\n```python\nprint('the exact way')\n```";
    let story = told(ask(), &[(Purpose::Generate, two), EXPLAIN], vec![GOOD]).await;
    let answer = story.answer();
    assert_eq!(answer.program, "print('the exact way')\n");
    let alternatives = &answer.details.alternatives;
    assert_eq!(alternatives.len(), 1);
    assert_eq!((alternatives[0].title.as_str(), alternatives[0].program.as_str()), ("Fast", "print('the fast way')\n"));
    assert_eq!(answer.details.prompt_version, "generate 2, repair 2, explain 2");
}
