(ns ndgrad.bench.workloads
  "Whole workloads: from a derivative of two numbers to steps of small networks. A workload is a function of no
  arguments over data made once. `groups` has them all: what belongs together shares its data, which are made when one
  of the group is first asked for.

  bench/peers.py has the same workloads under the same names for other libraries."
  (:refer-clojure :exclude [reductions])
  (:require
   [clojure.string :as str]
   [ndgrad.bench.sweep :as sweep]
   [ndgrad.core :as nd]
   [ndgrad.optim :as optim]
   [ndgrad.random :as r]))

(set! *warn-on-reflection* true)

(defn- f32 [& shape] (r/randn shape {:dtype :float32}))
(defn- leaf [x] (nd/requires-grad! (nd/copy x) true))
(defn- weight [& shape] (leaf (nd/* (apply f32 shape) 0.02)))
(defn- constant [value n] (leaf (nd/full [n] value {:dtype :float32})))

(defn- descend!
  "The backward pass of a training step and what comes of it: `update` is called while the leaves have their gradients.
  They are forgotten at the end of the step, so that inside a scope their memory goes back with the rest. Returns y."
  ([y upstream leaves] (descend! y upstream leaves (fn [])))
  ([y upstream leaves update]
   (nd/backward! y upstream)
   (update)
   (run! nd/zero-grad! leaves)
   y))

(defn- scalars []
  (let [a (leaf [3.0]) b (leaf [4.0])
        x (leaf (r/randn [16])) w (nd/+ 1 (nd/* 0.01 (r/randn [16])))]
    {"W01" #(descend! (nd/sqrt (nd/+ (nd/pow a 2) (nd/pow b 2))) nil [a b])
     "W02" #(descend! (nd/sum (loop [y x i 0]
                                (if (< i 50) (recur (nd/+ (nd/* y w) x) (inc i)) y)))
                 nil [x])}))

(defn- gelu
  "The tanh form, written op by op."
  [x]
  (nd/* 0.5 x (nd/+ 1 (nd/tanh (nd/* 0.7978845608 (nd/+ x (nd/* 0.044715 (nd/pow x 3))))))))

(defn- elementwise []
  (let [p (f32 1000 1000) q (f32 1000 1000) d (r/randn [1000 1000])
        row (f32 1000) column (f32 1000 1)
        g (leaf (f32 1000 1000)) up (f32 1000 1000)
        fused (nd/fuse gelu)]
    {"W03" #(nd/+ p q)
     "W04" #(nd/exp d)
     "W04b" #(nd/tanh p)
     "W10" #(descend! (gelu g) up [g])
     "W10f" #(descend! (fused g) up [g])
     "W14a" #(nd/+ p (nd/T q))
     "W16" #(nd/+ p row column)}))

(defn- reductions []
  (let [m (f32 2000 2000) flat (f32 1000000)]
    {"W05a" #(nd/sum m {:axis 0})
     "W05b" #(nd/sum m {:axis 1})
     "W05c" #(nd/sum m)
     "W14b" #(nd/copy (nd/T m))
     "W17" #(nd/cumsum m {:axis 1})
     "W18" #(nd/sort flat)
     "W19" #(nd/argmax m {:axis 1})
     "W20" #(nd/var m {:axis 0 :ddof 1})}))

(defn- matrices []
  (let [a (f32 1024 1024) b (f32 1024 1024) c (r/randn [1024 1024]) d (r/randn [1024 1024])
        s (f32 16 16) t (f32 16 16) x (f32 128 64 64) y (f32 128 64 64)]
    {"W07a" #(nd/matmul a b)
     "W07b" #(nd/matmul c d)
     "W08" #(nd/matmul s t)
     "W09" #(nd/matmul x y)}))

(defn- rows []
  (let [up (f32 1024 1024) sm (leaf (f32 1024 1024)) ln (leaf (f32 1024 1024))
        lw (constant 1 1024) lb (constant 0 1024)
        table (leaf (f32 10000 64)) ids (r/randint 0 10000 [4096]) gu (f32 4096 64)
        logits (leaf (f32 4096 1000)) labels (r/randint 0 1000 [4096])
        weights (leaf (f32 1000 1000)) gradient (f32 1000 1000)
        adamw (optim/adamw {:lr 1e-3}) state (atom (optim/init adamw weights))]
    {"W06" #(descend! (nd/softmax sm {:axis -1}) up [sm])
     "W14c" #(descend! (nd/get table ids) gu [table])
     "W15" #(descend! (nd/layer-norm ln {:axis -1 :weight lw :bias lb}) up [ln lw lb])
     "W15b" #(descend! (nd/cross-entropy logits labels) nil [logits])
     "W15c" #(swap! state (fn [s] (optim/step! adamw weights gradient s)))}))

(defn- mlp []
  (let [ws (mapv (fn [[m n]] (leaf (nd/* (f32 m n) 0.05))) [[784 256] [256 128] [128 10]])
        bs (mapv #(constant 0 %) [256 128 10])
        params (into ws bs)
        [w1 w2 w3] ws
        [b1 b2 b3] bs
        x (f32 64 784) y (r/randint 0 10 [64])
        sgd (optim/sgd {:lr 1e-3}) state (optim/init sgd params)]
    {"W11" (fn []
             (let [h (nd/relu (nd/+ (nd/matmul x w1) b1))
                   h (nd/relu (nd/+ (nd/matmul h w2) b2))]
               (descend! (nd/cross-entropy (nd/+ (nd/matmul h w3) b3) y) nil params
                         #(optim/step! sgd params (mapv nd/grad-of params) state))))}))

(def ^:private gpt-sizes {:vocabulary 96 :context 64 :blocks 4 :heads 4 :width 128 :batch 16})

(defn- gpt-params []
  (let [{:keys [vocabulary context blocks width]} gpt-sizes
        norm (fn [] [(constant 1 width) (constant 0 width)])]
    {:token (weight vocabulary width)
     :position (weight context width)
     :out (weight width vocabulary)
     :norm (norm)
     :blocks (vec (repeatedly blocks
                              (fn [] {:norm1 (norm) :norm2 (norm)
                                      :qkv (weight width (* 3 width)) :proj (weight width width)
                                      :up (weight width (* 4 width)) :down (weight (* 4 width) width)})))}))

(defn- normalized [x [gain bias]]
  (nd/layer-norm x {:axis -1 :weight gain :bias bias}))

(defn- gpt-block [x mask {:keys [norm1 norm2 qkv proj up down]}]
  (let [{:keys [batch context heads width]} gpt-sizes
        size (quot width heads)
        [q k v] (map #(nd/transpose (nd/reshape % [batch context heads size]) [0 2 1 3])
                     (nd/split (nd/matmul (normalized x norm1) qkv) width {:axis 2}))
        scores (nd// (nd/matmul q (nd/swapaxes k -2 -1)) (Math/sqrt size))
        seen (nd/softmax (nd/masked-fill scores mask ##-Inf) {:axis -1})
        mixed (nd/reshape (nd/transpose (nd/matmul seen v) [0 2 1 3]) [batch context width])
        x (nd/+ x (nd/matmul mixed proj))]
    (nd/+ x (nd/matmul (nd/gelu (nd/matmul (normalized x norm2) up) {:approximate :tanh}) down))))

(defn- gpt []
  (let [{:keys [vocabulary context batch]} gpt-sizes
        {:keys [token position out norm blocks] :as params} (gpt-params)
        leaves (filterv nd/array? (tree-seq coll? #(if (map? %) (vals %) %) params))
        tokens (r/randint 0 vocabulary [batch context])
        targets (r/randint 0 vocabulary [batch context])
        mask (nd/triu (nd/ones [context context] {:dtype :bool}) {:k 1})
        adamw (optim/adamw {:lr 1e-3}) state (atom (optim/init adamw leaves))]
    {"W12" (fn []
             (let [x (reduce #(gpt-block %1 mask %2)
                             (nd/+ (nd/embedding token tokens) position)
                             blocks)
                   logits (nd/matmul (normalized x norm) out)]
               (descend! (nd/cross-entropy logits targets) nil leaves
                         (fn [] (swap! state #(optim/step! adamw leaves (mapv nd/grad-of leaves) %))))))}))

(defn- conv []
  (let [image (f32 32 1 28 28) labels (r/randint 0 10 [32])
        k1 (leaf (nd/* (f32 8 1 3 3) 0.1)) k2 (leaf (nd/* (f32 16 8 3 3) 0.1))
        top (leaf (nd/* (f32 12544 10) 0.01))]
    {"W13" (fn []
             (let [h (nd/relu (nd/conv2d image k1 {:padding 1}))
                   h (nd/relu (nd/conv2d h k2 {:padding 1}))]
               (descend! (nd/cross-entropy (nd/matmul (nd/reshape h [32 -1]) top) labels) nil [k1 k2 top])))}))

(def names
  "What the workloads are, in the order of a table."
  (array-map
   "W01" "sqrt(a² + b²) of scalars, forward and backward, f64"
   "W02" "chain of 100 ops on 16 elements, forward and backward, f64"
   "W03" "add 10⁶ f32"
   "W04" "exp 10⁶ f64"
   "W04b" "tanh 10⁶ f32"
   "W05a" "sum along axis 0, 4·10⁶ f32"
   "W05b" "sum along axis 1, 4·10⁶ f32"
   "W05c" "sum of all elements, 4·10⁶ f32"
   "W06" "softmax 1024×1024 f32, forward and backward"
   "W07a" "matmul 1024² f32"
   "W07b" "matmul 1024² f64"
   "W08" "matmul 16² f32"
   "W09" "matmul of a batch of 128 64² f32"
   "W10" "gelu written op by op, 10⁶ f32, forward and backward"
   "W10f" "the same, with nd/fuse in ndgrad"
   "W11" "MLP 784-256-128-10, batch 64, SGD step, f32"
   "W12" "GPT of 4 blocks of width 128, context 64, batch 16, AdamW step, f32"
   "W13" "two convolutions on 32×28×28, forward and backward, f32"
   "W14a" "add of a transposed operand, 10⁶ f32"
   "W14b" "copy of a transposed array, 4·10⁶ f32"
   "W14c" "gather of 4096 rows of 10000×64 f32, forward and backward"
   "W15" "layer norm 1024×1024 f32, forward and backward"
   "W15b" "cross-entropy 4096×1000 f32, forward and backward"
   "W15c" "AdamW step of 10⁶ f32"
   "W16" "add of a row and a column, 10⁶ f32"
   "W17" "cumsum along axis 1, 4·10⁶ f32"
   "W18" "sort 10⁶ f32"
   "W19" "argmax along axis 1, 4·10⁶ f32"
   "W20" "variance along axis 0, 4·10⁶ f32"))

(def ^:private groups
  (into {}
        (for [[make keys] [[scalars ["W01" "W02"]]
                           [elementwise ["W03" "W04" "W04b" "W10" "W10f" "W14a" "W16"]]
                           [reductions ["W05a" "W05b" "W05c" "W14b" "W17" "W18" "W19" "W20"]]
                           [matrices ["W07a" "W07b" "W08" "W09"]]
                           [rows ["W06" "W14c" "W15" "W15b" "W15c"]]
                           [mlp ["W11"]]
                           [gpt ["W12"]]
                           [conv ["W13"]]]
              :let [made (delay (make))]
              key keys]
          [key made])))

(defn workload
  "The workload of a name, a function of no arguments: a key of `names`, one of the sweep (`op …`), or either of them
  inside a scope of its own (`scoped …`). nil when there is none."
  [name]
  (let [[kind more] (str/split name #" " 2)]
    (case kind
      "scoped" (when-let [f (workload more)] #(nd/with-scope (f) nil))
      "op" (sweep/workload name)
      (some-> (groups kind) deref (get kind)))))

(defn description
  "What is timed: JDK, engine and threads."
  []
  (let [{:keys [engines threads]} (nd/doctor)
        engine (->> engines (filter :chosen) first :version (re-find #"^\S+ \S+"))]
    (str "ndgrad, JDK " (Runtime/version) ", " engine ", " threads " threads")))
