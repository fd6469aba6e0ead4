(ns ndgrad.optim
  "Optimisers, which update parameters from gradients. An optimiser is an immutable value that holds its settings; its state
  is plain data that is passed in and returned; parameters are Arrays in any nesting of maps and vectors. Options are a map
  or keyword arguments.

  optimisers  sgd adam adamw, with-lr
  use         init step! step

  (require '[ndgrad.core :as nd] '[ndgrad.optim :as optim])
  (let [opt (optim/adamw {:lr 0.1})
        params {:w (nd/ones [2])}
        loss (fn [{:keys [w]}] (nd/sum (nd/* w w)))]
    (loop [state (optim/init opt params), n 0]
      (if (< n 3)
        (recur (optim/step! opt params ((nd/grad loss) params) state) (inc n))
        (:step state))))"
  (:require
   [ndgrad.call :as call]
   [ndgrad.tree :as tree :refer [array?]])
  (:import
   (java.io Writer)
   (java.util List)
   (ndgrad ArgumentException)
   (ndgrad.op.spec Coerce)
   (ndgrad.optim Adam AdamW Rule Sgd)))

(set! *warn-on-reflection* true)

(defn- number
  "The option `k`, or `default` if it is not given."
  [options k default]
  (Coerce/real (name k) (call/given options k default)))

(defn- moments
  "What `make` makes of the options in `more` of adam or adamw, which differ in their weight decay."
  [op more weight-decay make]
  (let [options (call/options op more [:lr :betas :eps :weight-decay])
        betas (call/given options :betas [0.9 0.999])]
    (when-not (and (sequential? betas) (= 2 (bounded-count 3 betas)))
      (call/fail op "two numbers for betas" betas))
    (call/naming op
      (make (number options :lr 1e-3)
            (Coerce/real "the first of betas" (first betas))
            (Coerce/real "the second of betas" (second betas))
            (number options :eps 1e-8)
            (number options :weight-decay weight-decay)))))

(defn sgd
  "Stochastic gradient descent, PyTorch's `torch.optim.SGD`. With d = g + weight-decay p and the
  buffer b = momentum b + (1 - dampening) d, which is d at the first step, a parameter becomes
  p - lr b, or p - lr (d + momentum b) with `:nesterov`. Throws ArgumentException for negative numbers,
  and for `:nesterov` without momentum or with dampening.

  Options: :lr, :momentum 0, :dampening 0, :weight-decay 0, :nesterov false

  Example: (optim/sgd {:lr 0.1 :momentum 0.9})"
  [& more]
  (let [options (call/options "sgd" more [:lr :momentum :dampening :weight-decay :nesterov])]
    (when (nil? (get options :lr))
      (throw (ArgumentException. "sgd: needs the option :lr" (object-array ["op" "sgd"]))))
    (call/naming "sgd"
      (Sgd. (number options :lr nil)
            (number options :momentum 0)
            (number options :dampening 0)
            (number options :weight-decay 0)
            (Coerce/flag "nesterov" (call/given options :nesterov false))))))

(defn adam
  "Adam (Kingma and Ba 2015), PyTorch's `torch.optim.Adam`. With d = g + weight-decay p,
  m = β₁ m + (1 - β₁) d and v = β₂ v + (1 - β₂) d², a parameter becomes p - lr m̂ / (√v̂ + eps),
  where m̂ = m / (1 - β₁ᵗ) and v̂ = v / (1 - β₂ᵗ) at step t. Throws ArgumentException for numbers out of
  range.

  Options: :lr 1e-3, :betas [0.9 0.999], :eps 1e-8, :weight-decay 0

  Example: (optim/adam {:lr 0.01})"
  [& more]
  (moments "adam" more 0
           (fn [lr beta1 beta2 eps weight-decay] (Adam. lr beta1 beta2 eps weight-decay))))

(defn adamw
  "Adam with decoupled weight decay (Loshchilov and Hutter 2019), PyTorch's `torch.optim.AdamW`: each
  step subtracts lr weight-decay p from a parameter p instead of adding to its gradient; otherwise as
  `adam`. Throws ArgumentException for numbers out of range.

  Options: :lr 1e-3, :betas [0.9 0.999], :eps 1e-8, :weight-decay 0.01

  Example: (optim/adamw {:lr 1e-3 :betas [0.9 0.95]})"
  [& more]
  (moments "adamw" more 0.01
           (fn [lr beta1 beta2 eps weight-decay] (AdamW. lr beta1 beta2 eps weight-decay))))

(defn- rule
  "Argument `opt` of `op`, which must be an optimiser."
  ^Rule [op opt]
  (if (instance? Rule opt) opt (call/fail op "an optimiser as sgd, adam and adamw make it" opt)))

(defn with-lr
  "The same optimiser with another learning rate, for schedules; it continues with the same state.

  Example: (optim/with-lr (optim/adam) 1e-4)"
  [opt lr]
  (call/naming "with-lr" (.withLr (rule "with-lr" opt) (Coerce/real "lr" lr))))

(defn- slot-keys [^Rule opt] (mapv keyword (.slots opt)))

(defn init
  "The initial state of an optimiser for `params`: {:step 0} and, for each of its slots (`:momentum` of sgd with momentum,
  `:m` and `:v` of adam and adamw), the structure of `params` with zeros. Leaves that are not Arrays are kept as they are.
  Throws DTypeException when a parameter is not floating.

  Example: (optim/init (optim/adam) {:w (nd/ones [2])})"
  [opt params]
  (let [opt (rule "init" opt)
        slot (fn [i] (tree/map-leaves #(if (array? %) (nth (.init opt %) i) %) params))]
    (into {:step 0} (map-indexed (fn [i k] [k (slot i)])) (slot-keys opt))))

(defn- next-step
  "The number of the step that follows `state`, which must be one of `opt`."
  ^long [op ^Rule opt state]
  (let [known (into [:step] (slot-keys opt))]
    (when-not (and (map? state) (= (set known) (set (keys state))))
      (call/fail op (str "a state that `init` made for " (.name opt) ", a map with the keys " known)
                 (if (map? state) (vec (keys state)) state)))
    (let [n (call/naming op (Coerce/whole "the :step of the state" (:step state)))]
      (if (< -1 n Long/MAX_VALUE)
        (inc n)
        (call/fail op "a state whose :step is a count" n)))))

(defn- slots-of
  "The leaves of each slot of `state` at the places of those of `params`."
  [op opt params state]
  (call/naming op (mapv #(tree/matched (str "the slot " %) params (get state %)) (slot-keys opt))))

(defn- updates
  "For each leaf of `params` [param gradient slots] if it is an Array that has a gradient, otherwise nil."
  [op params grads slots]
  (let [array (fn [what x] (if (array? x) x (call/fail op what x)))]
    (into []
          (map-indexed (fn [i [param grad]]
                         (when (and (array? param) (some? grad))
                           [param
                            (array "an Array or nil for each gradient" grad)
                            (mapv #(array "an Array in each slot" (nth % i)) slots)])))
          (map vector
               (tree/leaves params)
               (call/naming op (tree/matched "the gradients" params grads))))))

(defn step!
  "Updates `params` and the slots of `state` in place, in one pass over each parameter. Returns the state for the next step.
  `grads` has the structure of `params`; a parameter whose gradient is nil is not updated, but there is a single step count
  for all parameters (PyTorch has one per parameter). Parameters must be leaves. Throws, before any parameter is modified,
  ArgumentException when the structures differ or `state` does not belong to `opt`, ShapeException or DTypeException when a
  gradient does not fit its parameter, GraphException when a parameter is the result of a tracked op.

  Example: (let [w (nd/ones [2]), opt (optim/sgd {:lr 0.5})]
             (optim/step! opt {:w w} {:w (nd/ones [2])} (optim/init opt {:w w}))
             w)"
  [opt params grads state]
  (let [opt (rule "step!" opt)
        n (next-step "step!" opt state)
        due (filterv some? (updates "step!" params grads (slots-of "step!" opt params state)))]
    (.applyAll opt ^List (mapv first due) ^List (mapv second due) ^List (mapv peek due) n)
    (assoc state :step n)))

(defn step
  "[params state] after one step, without modifying anything; otherwise as `step!`. The new parameters are leaves, which
  require gradients where the old ones did.

  Example: (let [params {:w (nd/ones [2])}, opt (optim/sgd {:lr 0.5})]
             (optim/step opt params {:w (nd/ones [2])} (optim/init opt params)))"
  [opt params grads state]
  (let [opt (rule "step" opt)
        n (next-step "step" opt state)
        slots (slots-of "step" opt params state)
        results (mapv (fn [[param grad own :as due]]
                        (when due (vec (.next opt param grad ^List own n))))
                      (updates "step" params grads slots))
        renewed (fn [i leaves]
                  (tree/rebuild params (map (fn [leaf result] (if result (nth result i) leaf)) leaves results)))]
    [(renewed 0 (tree/leaves params))
     (into (assoc state :step n)
           (map-indexed (fn [i k] [k (renewed (inc (long i)) (nth slots i))]))
           (slot-keys opt))]))

(defmethod print-method Rule [x ^Writer w]
  (.write w (str x)))
