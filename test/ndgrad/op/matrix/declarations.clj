(ns ndgrad.op.matrix.declarations
  "What every declaration of an op must say."
  (:require
   [clojure.string :as str]
   [ndgrad.op.matrix.expected :as expected]
   [ndgrad.op.matrix.samples :as samples])
  (:import
   (ndgrad.op.spec Op Param Primitive Spec)))

(set! *warn-on-reflection* true)

(defn spec-problems
  "What is missing in a declaration."
  [^Spec spec]
  (let [lines (.samples spec)
        drawn? (some #(some #{:x} (samples/tags %)) lines)]
    (remove nil?
            (concat
              [(when (str/blank? (.doc spec)) "no doc")
               (when-not (re-find #"^[^.]+\." (.doc spec)) "the doc has no sentence")
               (when (and drawn? (empty? (.domains spec))) "floating arrays but no domain")
               (when (< (count lines) 2) "fewer than two samples")
               (when (and (str/blank? (.oracle spec)) (not (expected/without-oracle (.name spec))))
                 "neither an oracle nor a reason for lacking one")]
              (for [^Param p (.params (.signature spec))
                    :when (str/blank? (.paramDoc spec (.name p)))]
                (str "no doc of parameter " (.name p)))
              (for [line lines
                    :let [bad (try (samples/parse line) nil (catch Exception e (ex-message e)))]
                    :when bad]
                (str "sample " line " can't be read: " bad))))))

(defn op-problems
  "What is missing in the declaration of an op: a rule too, where it is known without a call."
  [^Op op]
  (let [spec (.spec op)
        reason? (not (str/blank? (.nonDifferentiable spec)))
        needs-rule? (some #(some #{:x} (samples/tags %)) (.samples spec))]
    (concat
      (spec-problems spec)
      (when (and (instance? Primitive op) needs-rule? (not reason?)
                 (not (.isDifferentiable ^Primitive op)))
        ["neither a rule nor a reason for lacking one"])
      (when (and reason? (instance? Primitive op) (.isDifferentiable ^Primitive op))
        ["a rule and a reason for lacking one"]))))
