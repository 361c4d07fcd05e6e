//! The form of every command: the names of its fields, and a check of a whole one.

use serde::de::{DeserializeOwned, Deserializer, Visitor, value};
use serde_json::Value;

use super::{
    ConfirmModel, FetchBars, FollowBars, ProcessBars, RegisterModel, RunDummy, Spread, TrainModel,
    ValidateBars,
};
use crate::command::Command;
use crate::plan::StepSpec;

/// The form of one type.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Names of its fields, those included that a value may leave out.
    pub fields: &'static [&'static str],
    read: fn(&Value) -> Result<(), serde_json::Error>,
}

impl Form {
    /// The form of a type with named fields; other types have none.
    pub fn of<T: DeserializeOwned>() -> Self {
        let mut fields: &'static [&'static str] = &[];
        // It fails by design: what is asked for is asked before anything is read.
        let _ = T::deserialize(FieldNames(&mut fields));

        Self {
            fields,
            read: |value| T::deserialize(value).map(drop),
        }
    }

    /// Checks a whole value.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        (self.read)(value).map_err(|error| error.to_string())
    }
}

/// The form of the command of a step; `None` for one that this program does not know.
pub fn form_of(spec: &StepSpec) -> Option<Form> {
    let forms = [
        entry::<RunDummy>(),
        entry::<FetchBars>(),
        entry::<ValidateBars>(),
        entry::<ProcessBars>(),
        entry::<TrainModel>(),
        entry::<RegisterModel>(),
        entry::<ConfirmModel>(),
        entry::<Spread>(),
        entry::<FollowBars>(),
    ];

    forms
        .into_iter()
        .find(|(service, verb, _)| *service == spec.service && *verb == spec.verb)
        .map(|(_, _, form)| form)
}

fn entry<C: Command>() -> (crate::ids::Service, &'static str, Form) {
    (C::SERVICE, C::VERB, Form::of::<C>())
}

/// Notes which fields a type asks for, and gives it nothing.
struct FieldNames<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for FieldNames<'_> {
    type Error = value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(serde::de::Error::custom(
            "only the names of fields are read",
        ))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::OnFailure;
    use crate::requests::Family;

    #[test]
    fn the_fields_of_a_command_include_those_left_out() {
        let form = Form::of::<RunDummy>();

        assert!(form.fields.contains(&"fail_at"), "{:?}", form.fields);
        assert!(form.check(&json!({ "iterations": 3 })).is_ok());
        let refusal = form.check(&json!({ "iterations": "three" })).unwrap_err();
        assert_eq!(refusal, "invalid type: string \"three\", expected u64");
    }

    #[test]
    fn the_step_of_a_family_has_a_form() {
        let family = Family {
            stages: vec![vec![RunDummy::default().operation()]],
            limit: 4,
            on_failure: OnFailure::KeepGoing,
            labels: [].into(),
        };
        let operation = family.operation();
        let spec = operation.plan.steps().next().unwrap();

        let form = form_of(spec).unwrap();
        assert!(form.fields.contains(&"on_failure"), "{:?}", form.fields);
        assert!(form.check(&spec.command).is_ok());
    }

    #[test]
    fn every_step_of_a_request_has_a_form() {
        let run = RunDummy::default().operation();
        let spec = run.plan.steps().next().unwrap();

        let form = form_of(spec).unwrap();
        assert!(form.check(&spec.command).is_ok());
        let other = StepSpec {
            verb: "dance".to_owned(),
            ..spec.clone()
        };
        assert!(form_of(&other).is_none());
    }
}
