(ns ndgrad.model-test
  "Random programs of creations, views, ops, in-place updates, detached and released arrays and backward passes, run by ndgrad
  and by the model in ndgrad.model: same values, same gradients, same versions, same errors.

  A longer run, of a million programs, with a seed of its own:

    bin/clj -M:repl -m ndgrad.model-test 1000000 [seed]

  With every line in a scope, and garbage in all memory that is used again:

    bin/clj -J-Dndgrad.pool.poison=true -M:repl -m ndgrad.model-test 1000000 scopes [seed]"
  (:require
   [clojure.java.io :as io]
   [clojure.string :as str]
   [clojure.test :refer [deftest is testing]]
   [clojure.test.check :as tc]
   [clojure.test.check.generators :as gen]
   [clojure.test.check.properties :as prop]
   [clojure.test.check.results :as results]
   [ndgrad.core :as nd]
   [ndgrad.model :as model]
   [ndgrad.model.ops :as ops])
  (:import
   (ndgrad NdException)))

(set! *warn-on-reflection* true)

;; ---------------------------------------------------------------------------------------------
;; running a form: symbols a0, a1, … are the arrays made so far

(def ^:private functions
  (memoize (fn [sym] @(ns-resolve 'ndgrad.core (symbol (name sym))))))

(defn- with-arrays
  "The form with symbols replaced by what `arrays` has for them."
  [arrays form]
  (cond
    (symbol? form) (get arrays form form)
    (seq? form) (apply list (map #(with-arrays arrays %) form))
    (vector? form) (mapv #(with-arrays arrays %) form)
    :else form))

(defn- evaluate [arrays form]
  (cond
    (symbol? form) (get arrays form)
    (seq? form) (apply (functions (first form)) (map #(evaluate arrays %) (rest form)))
    (vector? form) (mapv #(evaluate arrays %) form)
    :else form))

(def ^:private ^:dynamic *scopes*
  "Whether every line is run in a scope of its own."
  false)

(defn- real-step
  "[result nil], or [nil error] with the error as [class op]."
  [arrays grad? form]
  (try
    (let [run #(if grad? (evaluate arrays form) (nd/no-grad (evaluate arrays form)))]
      [(if *scopes* (nd/with-scope (run)) (run)) nil])
    (catch NdException e
      [nil [(.getSimpleName (class e)) (:op (nd/error-data e))]])
    (catch Exception e
      [nil [(str e) nil]])))

;; ---------------------------------------------------------------------------------------------
;; comparing

(defn- close? [a b]
  (<= (abs (- a b)) (* 1e-8 (+ 1.0 (abs a)))))

(defn- flat [x] (mapv double (flatten [(nd/tolist x)])))

(defn- difference
  "What distinguishes an Array from the model's array, nil when nothing does."
  [s id x]
  (let [a (model/array-of s id)
        grad (nd/grad-of x)
        facts {:shape [(:shape a) (nd/shape x)]
               :requires-grad? [(model/tracked? s id) (nd/requires-grad? x)]
               :leaf? [(model/leaf? s id) (nd/leaf? x)]
               :version [(model/version s id) (nd/version x)]
               :has-grad? [(some? (:grad a)) (some? grad)]}
        wrong (into {} (filter (fn [[_ [a b]]] (not= a b))) facts)
        both (fn [k as bs] (when-not (every? true? (map close? as bs)) {k [as bs]}))]
    (not-empty (merge wrong
                      (when-not (:shape wrong) (both :elements (model/values s id) (flat x)))
                      (when (and grad (:grad a)) (both :grad (:grad a) (flat grad)))))))

(defn- number-of [sym] (parse-long (subs (str sym) 1)))

(defn- first-difference [{:keys [state arrays ids]} syms]
  (some (fn [sym]
          (when-let [d (difference state (ids sym) (arrays sym))]
            (assoc d :array sym)))
        syms))

(defn- symbols [run] (sort-by number-of (keys (:ids run))))

(defn- expected-error? [errors [class op]]
  (or (errors [class nil]) (errors [class op])))

(defn- mutates?
  "Whether a form returns its first argument, or nothing, and so needs no name."
  [form]
  (str/ends-with? (name (first form)) "!"))

(defn- release [run sym]
  (-> run (update :arrays dissoc sym) (update :ids dissoc sym)))

(defn- step
  "The next state of both sides after a line [symbol form], or [symbol form :no-grad]; `:wrong` in it says how they
  differ, nil is returned when the form is not fit for a comparison."
  [{:keys [state arrays ids] :as run} [sym form mode :as line]]
  (if (= 'release (first form))
    (-> (release run (second form)) (update :lines conj line))
    (let [grad? (not= mode :no-grad)
          expected (model/step state grad? (with-arrays (update-vals ids #(hash-map :id %)) form))]
      (when-not (:undecided expected)
        (let [[x error] (real-step arrays grad? form)
              run (update run :lines conj line)
              wrong (cond
                      (and error (:errors expected))
                      (when-not (expected-error? (:errors expected) error)
                        {:expected (:errors expected), :raised error})
                      error {:raised error}
                      (:errors expected) {:expected (:errors expected), :raised nil})
              next-run (cond
                         (or error (:errors expected)) run
                         (mutates? form) (assoc run :state (:state expected))
                         (:id expected) (assoc run
                                               :state (:state expected)
                                               :arrays (assoc arrays sym x)
                                               :ids (assoc ids sym (:id expected)))
                         :else (assoc run :state (:state expected)))
              wrong (or wrong (first-difference next-run (if (or error (mutates? form)) (symbols next-run) [sym])))]
          (cond-> next-run wrong (assoc :wrong (assoc wrong :line line))))))))

(def ^:private start {:state model/start, :arrays {}, :ids {}, :lines []})

(defn- code
  "A program as readable code."
  [lines]
  (str/join "\n"
            (for [[sym form mode] lines
                  :let [text (if (= mode :no-grad) (list 'nd/no-grad form) form)]]
              (pr-str (if (or (mutates? form) (= 'release (first form))) text (list 'def sym text))))))

;; ---------------------------------------------------------------------------------------------
;; making programs: a slot is a kind and dice; what they mean depends on the arrays there are

(def ^:private shapes [[] [2] [3] [1] [2 2] [2 3] [3 1] [1 3] [3 2] [2 1 2] [4]])

(def ^:private numbers [1.0 2.0 -1.0 0.5 0.0 -2.0 1.5 -0.5 3.0 0.25 -1.5])

(defn- nested [shape values]
  (if (empty? shape)
    (first values)
    (mapv #(nested (rest shape) %) (partition (ops/size (rest shape)) values))))

(defn- pick [xs die] (nth xs (mod die (count xs))))

(defn- literal [shape die]
  (nested shape (map #(pick numbers (+ die (* % (inc (quot die 11))))) (range (ops/size shape)))))

(defn- range-form [n a b]
  (list 'nd/slice (pick (into [nil] (range n)) a) (pick (into [nil] (range 1 (inc n))) b)
        (pick [nil 2 -1] (+ a b))))

(defn- forward
  "A range of `n` that holds something."
  [n a]
  (let [from (mod a n)] (list 'nd/slice from (+ from 1 (mod (quot a n) (- n from))) nil)))

(defn- index-items [shape [a b c]]
  (case (count shape)
    0 []
    1 [(if (even? c) (pick (range (first shape)) a) (forward (first shape) a))]
    (pick [[(pick (range (first shape)) a)]
           [:all (pick (range (second shape)) b)]
           [(forward (first shape) a) (forward (second shape) b)]
           [(- (inc (mod a (first shape))))  (forward (second shape) b)]]
          c)))

(defn- factorings [n]
  (into [[-1] [n 1] [1 n]] (for [k (range 2 n) :when (zero? (rem n k))] [k (quot n k)])))

(defn- operand
  "An array, or now and then a number."
  [sym die]
  (if (zero? (mod die 5)) (pick numbers (quot die 5)) sym))

(defn- axis-options [shape die]
  (if (or (empty? shape) (zero? (mod die 3)))
    nil
    [(cond-> {:axis (mod die (count shape))} (even? (quot die 3)) (assoc :keepdims true))]))

(defn- create-form [[a b]]
  (let [data (literal (pick shapes a) b)]
    (if (zero? (mod b 3)) (list 'nd/array data) (list 'nd/array data {:requires-grad true}))))

(defn- view-form [x shape [a b c]]
  (let [n (count shape)]
    (pick
      (cond-> [(list 'nd/unsqueeze x (mod a (inc n)))
               (list 'nd/reshape x (pick (factorings (ops/size shape)) a))
               (list 'nd/broadcast-to x (into [2] shape))
               (list 'nd/transpose x)
               (list 'nd/flip x)]
        (pos? n) (into [(apply list 'nd/get x (index-items shape [a b c]))
                        (apply list 'nd/get x (index-items shape [b c a]))
                        (list 'nd/get x (range-form (first shape) a b))
                        (list 'nd/flip x {:axis (mod a n)})])
        (> n 1) (into [(list 'nd/diagonal x {:offset (pick [0 1 -1] a)})
                       (list 'nd/transpose x (vec (concat (range 1 n) [0])))])
        (some #{1} shape) (conj (list 'nd/broadcast-to x (mapv #(if (= 1 %) 3 %) shape))))
      b)))

(defn- op-form [x y shape [a b c]]
  (pick
    (cond-> [(list 'nd/exp x) (list 'nd/sin x) (list 'nd/tanh x) (list 'nd/square x) (list 'nd/relu x)
             (list 'nd/add x y) (list 'nd/sub y x) (list 'nd/mul x y) (list 'nd/mul y x) (list 'nd/div x y)
             (list 'nd/maximum x y) (list 'nd/copy x)
             (list 'nd/where (nested shape (map #(odd? (+ a % (quot a 4))) (range (ops/size shape)))) x y)
             (list 'nd/stack [x x])
             (list* 'nd/sum x (axis-options shape a)) (list 'nd/sum x)
             (list* 'nd/mean x (axis-options shape a))
             (list* 'nd/max x (axis-options shape a))
             (list* 'nd/prod x (axis-options shape a))]
      (pos? (count shape)) (into [(list 'nd/cumsum x {:axis (mod a (count shape))})
                                  (list 'nd/get x (mapv #(mod (+ a (* b %)) (first shape)) (range 3)))]))
    c))

(defn- in-place-form [x y shape [a b c]]
  (pick
    [(list 'nd/add! x y) (list 'nd/sub! x y) (list 'nd/mul! x y) (list 'nd/mul! x y) (list 'nd/div! x y)
     (list 'nd/exp! x) (list 'nd/sin! x) (list 'nd/neg! x) (list 'nd/square! x) (list 'nd/maximum! x y)
     (list 'nd/fill! x (pick numbers a)) (list 'nd/fill! x y)
     (list 'nd/set! x (index-items shape [a b (inc a)]) y)
     (list 'nd/set! x (index-items shape [b a b]) y)
     (list 'nd/set! x (index-items shape [b a a]) (pick numbers b))
     (if (empty? shape)
       (list 'nd/masked-fill! x (even? a) y)
       (list 'nd/set! x [(mapv #(mod (+ a (* b %)) (first shape)) (range (inc (mod a 3))))] y))
     (list 'nd/masked-fill! x (nested shape (map #(odd? (+ a % (quot a 4))) (range (ops/size shape)))) y)
     (list 'nd/set! x (vec (repeat (count shape) :all)) y)]
    c))

(defn- backward-form [x shape [a b]]
  (let [options (if (zero? (mod a 3)) [] [{:retain-graph true}])
        upstream (if (and (= 1 (ops/size shape)) (odd? b)) nil (literal shape b))]
    (cond
      (zero? (mod (+ a b) 23)) (list 'nd/backward! x)
      (and (nil? upstream) (empty? options)) (list 'nd/backward! x)
      :else (list* 'nd/backward! x upstream options))))

(defn- matrices? [& shapes] (every? #(<= 1 (count %) 2) shapes))

(defn- form-of
  "What slot `n` means where the arrays `ids` are in the registers."
  [{:keys [state ids]} n {:keys [kind r1 r2 dice]}]
  (let [numbers (sort (map number-of (keys ids)))
        named #(symbol (str "a" %))
        ;; the array made so many slots ago, or the one before: it stays the same when other slots are left out
        back (fn [numbers r] (named (or (last (take-while #(< % (- n r)) numbers)) (last numbers))))
        tracked (filter #(model/tracked? state (ids (named %))) numbers)]
    (if (or (empty? numbers) (= kind :create))
      (create-form dice)
      (let [x (back (if (and (#{:backward :in-place :op :retain-grad} kind) (seq tracked) (pos? (mod (peek dice) 4))) tracked numbers)
                    r1)
            shape-of #(:shape (model/array-of state (ids %)))
            shape (shape-of x)
            y (operand (back numbers r2) (first dice))]
        (if (zero? (ops/size shape))
          (list 'nd/copy x)
          (case kind
            :view (view-form x shape dice)
            :op (op-form x y shape dice)
            :matmul (if (and (symbol? y) (matrices? shape (shape-of y)))
                      (list 'nd/matmul x y)
                      (list 'nd/mul x y))
            :in-place (in-place-form x y shape dice)
            :backward (backward-form x shape dice)
            :detach (list 'nd/detach x)
            :requires-grad (list 'nd/requires-grad! x (pos? (mod (first dice) 4)))
            :retain-grad (list 'nd/retain-grad! x)
            :zero-grad (list 'nd/zero-grad! x)
            :release (list 'release x)))))))

(def ^:private die (gen/choose 0 120))

(def ^:private slot
  "One line of a program; shrinks to nil, no line."
  (gen/frequency
    [[1 (gen/return nil)]
     [24 (gen/hash-map
           :kind (gen/frequency [[3 (gen/return :create)] [5 (gen/return :op)] [5 (gen/return :view)]
                                 [6 (gen/return :in-place)] [1 (gen/return :matmul)] [4 (gen/return :backward)]
                                 [1 (gen/return :detach)] [1 (gen/return :requires-grad)]
                                 [1 (gen/return :zero-grad)] [1 (gen/return :retain-grad)] [1 (gen/return :release)]])
           :no-grad (gen/frequency [[7 (gen/return false)] [1 (gen/return true)]])
           :r1 (gen/one-of [(gen/choose 0 3) (gen/choose 0 20)])
           :r2 (gen/choose 0 20)
           :dice (gen/tuple die die die))]]))

(def ^:private program
  (gen/bind (gen/choose 4 26) #(apply gen/tuple (repeat % slot))))

(defn- run-line
  "The run after one more line; a line that is not fit for a comparison is left out."
  [run line]
  (let [next-run (try (step run line)
                      (catch Exception e
                        (-> run (update :lines conj line) (assoc :wrong {:the-model-failed (str e)}))))]
    (cond
      (nil? next-run) run
      (:wrong next-run) (reduced next-run)
      :else next-run)))

(defn- run-slot [run [n {:keys [no-grad] :as slot}]]
  (run-line run (cond-> [(symbol (str "a" n)) (form-of run n slot)] no-grad (conj :no-grad))))

(defn- finale
  "A backward pass from each of the last tracked arrays, as a last look at the graph."
  [{:keys [state ids] :as run}]
  (for [sym (take-last 4 (filter #(model/tracked? state (ids %)) (symbols run)))]
    [sym (list 'nd/backward! sym (literal (:shape (model/array-of state (ids sym))) 3) {:retain-graph true})]))

(defn- run-lines [run lines]
  (reduce run-line run lines))

(defn- run-program [slots]
  (let [run (reduce run-slot start (keep-indexed (fn [n slot] (when slot [n slot])) slots))]
    (if (:wrong run) run (run-lines run (finale run)))))

(def ^:private agreement
  (prop/for-all* [program]
                 (fn [slots]
                   (let [{:keys [wrong lines]} (run-program slots)]
                     (reify results/Result
                       (pass? [_] (nil? wrong))
                       (result-data [_] (when wrong {:wrong wrong, :lines lines})))))))

(defn- report
  "What was found by a run, for people."
  [{:keys [pass? num-tests seed shrunk]}]
  (if pass?
    (str num-tests " programs, seed " seed ": ndgrad and the model agree")
    (let [{:keys [wrong lines]} (:result-data shrunk)]
      (str "seed " seed ", program " num-tests ": ndgrad and the model differ in\n\n" (code lines)
           "\n\n" (pr-str wrong)
           (when-let [e (:clojure.test.check.properties/error (:result-data shrunk))]
             (str "\n" (pr-str e)))))))

(deftest random-programs-agree-with-the-model
  (let [result (tc/quick-check 3000 agreement)]
    (println (report result))
    (is (:pass? result) (report result))))

(deftest random-programs-in-scopes-agree-with-the-model
  (binding [*scopes* true]
    (let [result (tc/quick-check 1000 agreement)]
      (is (:pass? result) (report result)))))

(deftest recycled-garbage-changes-nothing
  (testing "every line in a scope, arrays of every size recycled, NaN in all that is handed out again"
    (let [java (str (io/file (System/getProperty "java.home") "bin" "java"))
          command [java "-Dndgrad.pool.poison=true" "-cp" (System/getProperty "java.class.path")
                   "clojure.main" "-m" "ndgrad.model-test" "500" "scopes"]
          builder (doto (ProcessBuilder. ^java.util.List command) (.redirectErrorStream true))
          child (.start builder)
          output (slurp (.getInputStream child))]
      (is (zero? (.waitFor child)) output)
      (is (re-find #"500 programs, .* agree" output) output))))

(defn- outcomes
  "How often the lines of a program ended how, as {[kind error-class-or-nil] count}."
  [lines]
  (loop [run start, [[_ form mode :as line] & more] lines, out {}]
    (if (nil? line)
      out
      (let [kind (cond (= 'nd/backward! (first form)) :backward (mutates? form) :in-place :else :other)
            ids (update-vals (:ids run) #(hash-map :id %))
            errors (when-not (= 'release (first form))
                     (:errors (model/step (:state run) (not= mode :no-grad) (with-arrays ids form))))]
        (recur (step run line) more (update out [kind (ffirst errors)] (fnil inc 0)))))))

(deftest random-programs-come-to-every-rule
  (let [counts (apply merge-with + (for [seed (range 300)]
                                     (outcomes (:lines (run-program (gen/generate program 30 seed))))))]
    (doseq [[outcome least] {[:backward nil] 300
                             [:backward "MutationException"] 10
                             [:backward "GraphException"] 30
                             [:in-place nil] 300
                             [:in-place "GraphException"] 30
                             [:in-place "ArgumentException"] 10
                             [:in-place "ShapeException"] 30
                             [:other nil] 1000}]
      (is (<= least (counts outcome 0)) (str outcome)))))

;; ---------------------------------------------------------------------------------------------
;; programs that went wrong once

(defn- agrees
  "Asserts that every line of a program is run, with no difference; returns the run."
  [& lines]
  (let [run (run-lines start lines)]
    (is (nil? (:wrong run)) (code (:lines run)))
    (is (= (count lines) (count (:lines run))))
    run))

(deftest a-leaf-that-is-a-view-is-a-leaf
  (testing "it is overwritten without recording, as any leaf"
    (agrees '[a0 (nd/array [1.0 2.0])]
            '[a1 (nd/get a0 0)]
            '[a2 (nd/requires-grad! a1 true)]
            '[a3 (nd/add! a1 1.0)]
            '[a4 (nd/square a1)]
            '[a5 (nd/backward! a4)]))
  (testing "tracked values and views of it are refused"
    (agrees '[a0 (nd/array [[1.0 2.0] [3.0 4.0]])]
            '[a1 (nd/get a0 0)]
            '[a2 (nd/requires-grad! a1 true)]
            '[a3 (nd/get a1 0)]
            '[a4 (nd/mul! a3 2.0)]
            '[a5 (nd/mul! a1 a1)]
            '[a6 (nd/backward! a3)])))

(deftest an-array-divided-by-itself-in-place
  (agrees '[a0 (nd/array [1.0 2.0] {:requires-grad true})]
          '[a1 (nd/mul a0 3.0)]
          '[a2 (nd/div! a1 a1)]
          '[a3 (nd/backward! a1 [1.0 1.0])]))

(deftest a-retained-gradient-is-that-of-the-latest-value
  (testing "of a view that is written to"
    (agrees '[a0 (nd/array 2.0 {:requires-grad true})]
            '[a1 (nd/square a0)]
            '[a2 (nd/unsqueeze a1 0)]
            '[a3 (nd/retain-grad! a2)]
            '[a4 (nd/sub! a2 1.0)]
            '[a5 (nd/backward! a1 0.5 {:retain-graph true})]
            '[a6 (nd/square a2)]
            '[a7 (nd/backward! a6)]))
  (testing "and of one whose base is"
    (agrees '[a0 (nd/array [2.0 3.0] {:requires-grad true})]
            '[a1 (nd/square a0)]
            '[a2 (nd/get a1 0)]
            '[a3 (nd/retain-grad! a2)]
            '[a4 (nd/mul! a1 2.0)]
            '[a5 (nd/sin a2)]
            '[a6 (nd/backward! a5)])))

(deftest a-hook-stays-with-the-value-it-was-put-on
  (let [x (nd/array [2.0] {:requires-grad true})
        y (nd/retain-grad! (nd/mul x 3.0))
        seen (atom [])
        off (nd/register-hook! y (fn [g] (swap! seen conj (nd/tolist g)) nil))]
    (nd/mul! y 5.0)
    (nd/backward! y [1.0] {:retain-graph true})
    (is (= [[5.0]] @seen))
    (is (= [1.0] (nd/tolist (nd/grad-of y))))
    (off)
    (nd/backward! y [1.0])
    (is (= 1 (count @seen)))))

;; Summed in another order than the model's, sin 2 + sin -2 + sin ¼ is a little more than sin ¼.
(deftest what-hangs-on-a-rounding-error-is-left-out
  (let [lines '[[a0 (nd/array [2.0 -2.0 0.25] {:requires-grad true})]
                [a1 (nd/sin a0)]
                [a2 (nd/no-grad (nd/sum a1))]]
        with-a-tie (conj lines '[a3 (nd/maximum a1 a2)])]
    (is (= lines (:lines (run-lines start with-a-tie)))))
  (testing "but not a tie of numbers whose sums are exact"
    (agrees '[a0 (nd/array [1.5 -0.5] {:requires-grad true})]
            '[a1 (nd/sum a0)]
            '[a2 (nd/maximum a1 1.0)]
            '[a3 (nd/backward! a2)])))

(deftest the-model-tells-wrong-from-right
  (testing "a difference is found and shown"
    (let [run (run-lines start '[[a0 (nd/array [1.0 2.0])] [a1 (nd/exp a0)]])
          tampered (assoc-in run [:state :storages 1 :values 0] 5.0)]
      (is (= {:array 'a1} (select-keys (first-difference tampered (symbols tampered)) [:array])))
      (is (= "(def a0 (nd/array [1.0 2.0]))\n(def a1 (nd/exp a0))" (code (:lines run))))))
  (testing "an error that is not raised is a difference"
    (with-redefs [functions (constantly (fn [& _] (nd/ones [2])))]
      (is (:wrong (run-lines start '[[a0 (nd/array [1.0 2.0] {:requires-grad true})] [a1 (nd/backward! a0)]]))))))

;; ---------------------------------------------------------------------------------------------

(defn -main
  "Runs `n` programs; `more` is \"scopes\" to run every line in a scope, and a seed."
  [n & more]
  (binding [*scopes* (= "scopes" (first more))]
    (let [seed (some parse-long more)
          result (apply tc/quick-check (parse-long n) agreement (when seed [:seed seed]))]
      (println (report result))
      (shutdown-agents)
      (System/exit (if (:pass? result) 0 1)))))
